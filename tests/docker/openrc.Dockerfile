# A system with OpenRC that starts Eyelid, as docs/openrc.md says how to make it.
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends openrc && rm -rf /var/lib/apt/lists/*
RUN useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin --groups video eyelid
COPY --from=eyelid /usr/bin/eyelid* /usr/bin/
COPY openrc/* /etc/init.d/
COPY eyelid.toml /etc/eyelid/
RUN rc-update add eyelid default
RUN ln -s eyelid-watch /etc/init.d/eyelid-watch.side
ENTRYPOINT ["/sbin/openrc-init"]
