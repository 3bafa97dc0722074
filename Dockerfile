# One image for every part of tapewatch; which part a container is, its command says: `docker run tapewatch consumer redis`.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS built
WORKDIR /src
RUN python -m venv /build && python -m venv --without-pip /opt/tapewatch
COPY requirements/build.txt requirements/services.txt requirements/
RUN /build/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements/build.txt \
 && /build/bin/pip --python /opt/tapewatch/bin/python install --quiet --no-cache-dir --require-hashes -r requirements/services.txt
COPY pyproject.toml README.md ./
COPY shared shared
COPY services services
COPY devstack devstack
RUN /build/bin/hatchling build -t wheel \
 && /build/bin/pip --python /opt/tapewatch/bin/python install --quiet --no-cache-dir --no-deps --no-index dist/*.whl

FROM ${PYTHON}
# A new volume takes over the owner of the directory that it is mounted on.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/tapewatch --shell /usr/sbin/nologin tapewatch \
 && install -d -o tapewatch -g tapewatch -m 700 /var/lib/tapewatch \
 && install -d -o tapewatch -g tapewatch /secrets/postgres-owner /secrets/postgres-writer /secrets/postgres-reader \
    /secrets/redis-users /secrets/redis-writer /secrets/redis-reader
COPY --from=built /opt/tapewatch /opt/tapewatch
COPY deploy/compose/healthy deploy/compose/make-secrets /usr/local/bin/
ENV PATH=/opt/tapewatch/bin:$PATH \
    HOME=/var/lib/tapewatch \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TAPEWATCH_LOG__FORMAT=json \
    TAPEWATCH_METRICS__PORT=9464 \
    TAPEWATCH_STATE__DIRECTORY=/var/lib/tapewatch
USER 10001:10001
WORKDIR /var/lib/tapewatch
STOPSIGNAL SIGTERM
# The progress probe: a part that does not get on is not healthy. It ends itself after LIVENESS__WITHIN_S.
HEALTHCHECK --interval=5s --timeout=3s --retries=6 --start-period=120s CMD ["healthy"]
ENTRYPOINT ["tapewatch"]
CMD ["--help"]
