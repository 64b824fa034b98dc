# Stand-ins for Dapr's three images, to try the compose file where no Dapr can be had.
FROM runaway:local

ARG VERSION
COPY . /standins/
ENV STANDIN_PYTHON=/opt/runaway/bin/python STANDIN_DAPR_VERSION=$VERSION
WORKDIR /standins/bin
