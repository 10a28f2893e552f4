# syntax=docker/dockerfile:1
# The image of kms-exporter; scripts/image builds it for several platforms. Nothing in it depends on the platform: every
# dependency is a wheel, and requirements/*.txt hold the hashes of the wheels for each.
#
# The base can be named by its digest: --build-arg BASE=python@sha256:... A release's provenance tells that of its base.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_CACHE_DIR=1

# Dependencies first: they change seldom. The environment has no pip of its own, nor has what is built with it.
COPY requirements requirements
RUN python3 -m venv --without-pip /opt/kms-exporter \
 && python3 -m pip --python /opt/kms-exporter/bin/python3 install -q --no-compile \
      --require-hashes --only-binary :all: -r requirements/runtime.txt \
 && python3 -m venv --without-pip /opt/tools \
 && python3 -m pip --python /opt/tools/bin/python3 install -q --no-compile \
      --require-hashes --only-binary :all: -r requirements/build.txt

COPY LICENSE README.md pyproject.toml ./
COPY exporter exporter
RUN python3 -m pip --python /opt/tools/bin/python3 wheel -q --no-deps --no-build-isolation --no-index -w wheels . \
 && python3 -m pip --python /opt/kms-exporter/bin/python3 install -q --no-compile --no-deps --no-index -f wheels kms-exporter

# Byte code is checked against nothing at run time: the root file system can't change, and no time stamp gets into it.
ARG REVISION=""
COPY scripts/image_trim.py scripts/image_probe.py /opt/kms-exporter/libexec/
WORKDIR /opt/kms-exporter
RUN bin/python3 -B libexec/image_trim.py \
 && find libexec/image_trim.py include bin -type f ! -name kms-exporter -delete \
 && printf '%s\n' "${REVISION}" > "$(bin/python3 -B -c 'import exporter; print(exporter.__path__[0])')/REVISION" \
 && bin/python3 -m compileall -q --invalidation-mode unchecked-hash lib libexec

FROM ${BASE}
# pip stays in the base's layers, but no process of this image can reach it.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
      /usr/local/bin/idle* /usr/local/bin/pydoc*
COPY --from=build /opt/kms-exporter /opt/kms-exporter

# There is no such folder unless one is mounted, for example with an AWS configuration in .aws. No path is ever written.
ENV HOME=/home/kms-exporter PATH=/opt/kms-exporter/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 10841
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/opt/kms-exporter/bin/python3", "-I", "-S", "/opt/kms-exporter/libexec/image_probe.py"]
ENTRYPOINT ["kms-exporter"]
CMD ["serve"]

ARG BASE
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="kms-exporter" \
      org.opencontainers.image.description="Prometheus exporter for AWS KMS keys that are about to be destroyed" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"
