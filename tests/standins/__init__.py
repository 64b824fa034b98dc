"""Programs that stand where Dapr's would: our own sidecar and scheduler behind Dapr's flags."""
