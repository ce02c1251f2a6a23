# Any base with Python 3.11 or newer does, such as one that is kept up to date in your own registry.
ARG BASE=python:3.11-slim

FROM ${BASE} AS builder
WORKDIR /source
COPY pyproject.toml README.md ./
COPY deploy/constraints.txt deploy/constraints.txt
COPY tmcwatch tmcwatch
# A venv is the one folder that the image needs of all this.
RUN python3 -m venv /opt/tmcwatch \
    && /opt/tmcwatch/bin/pip install --no-cache-dir --no-compile -c deploy/constraints.txt . \
    && /opt/tmcwatch/bin/pip uninstall --yes pip setuptools \
    && /opt/tmcwatch/bin/python -m compileall -q -j 0 /opt/tmcwatch/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tmcwatch" \
      org.opencontainers.image.description="Monitoring daemon for Talend Management Console" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=builder /opt/tmcwatch /opt/tmcwatch
# The folder belongs to the group 0, too, as platforms that choose a user by themselves put it there.
RUN install -d -o 10001 -g 0 -m 0770 /data
# The root file system may be read-only: nothing is written but the store, in /data, where SQLite sorts, too: a large store
# that is migrated may need more room than /tmp has.
ENV PATH=/opt/tmcwatch/bin:${PATH} \
    SQLITE_TMPDIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMCWATCH_CONFIG=/etc/tmcwatch/tmcwatch.yaml
# A number, so that Kubernetes can tell that it is not root.
USER 10001:0
WORKDIR /data
VOLUME /data
EXPOSE 10477
# It asks whether the loop turns: an outage of TMC is no reason to restart. It goes through no proxy.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "from http.client import HTTPConnection as To; to = To('127.0.0.1', 10477, timeout=4); to.request('GET', '/-/healthy'); raise SystemExit(to.getresponse().status != 200)"]
ENTRYPOINT ["tmcwatch"]
CMD ["run"]
