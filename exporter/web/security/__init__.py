"""TLS, client certificates, passwords and response headers, as exporter-toolkit's web configuration declares them."""
