"""OpenTelemetry's spans as ours: OTLP requests, and what their attributes mean to Mastra."""
