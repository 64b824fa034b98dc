# One image for the three Python services; which one runs is the command's choice.
FROM python:3.11-slim AS build

WORKDIR /src
RUN python3 -m venv /opt/runaway
# A pip.conf may come as a build secret, for those behind a mirror or a proxy; none is needed.
COPY requirements/use.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/runaway/bin/pip install --no-cache-dir --disable-pip-version-check \
    --require-hashes --requirement requirements/use.txt
COPY . .
RUN /opt/runaway/bin/pip install --no-cache-dir --disable-pip-version-check \
    --no-deps --no-build-isolation --no-index .

FROM python:3.11-slim

COPY --from=build /opt/runaway /opt/runaway
ENV PATH=/opt/runaway/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /
USER 65532:65532
