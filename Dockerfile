# The image: the web UI is built, then the program with the UI inside, and nothing but that program
# and the licences of what it is built from is in the last stage: no shell, no package, no library.
#
#   docker build -t gemini-balance .
#
# Plain enough for Docker, with and without BuildKit, Podman and Buildah. The same source gives the
# same program. For the same image too, have the builder set the times of its files:
#   docker buildx build --build-arg SOURCE_DATE_EPOCH=0 --output type=docker,rewrite-timestamp=true .
#   buildah build --timestamp 0 .
#
# The versions below are held to package.json and rust-toolchain.toml by `cargo xtask tidy`.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm

FROM ${NODE_IMAGE} AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY web/svelte.config.js web/tsconfig.json web/vite.config.ts ./
COPY web/static static
COPY web/src src
RUN npm run build

FROM ${RUST_IMAGE} AS program
# The allocator is built by it.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make && rm -rf /var/lib/apt/lists/*
# Otherwise rustup fetches what only developers need.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY crates crates
COPY --from=web /src/web/build web/build
RUN cargo xtask static \
 && install -D -m 0755 target/static/gemini-balance /out/program/usr/local/bin/gemini-balance \
 && install -D -m 0644 target/static/THIRD-PARTY.txt /out/program/usr/local/share/doc/gemini-balance/THIRD-PARTY.txt \
 && install -d -m 0700 /out/owned/data

FROM scratch
LABEL org.opencontainers.image.title="Gemini Balance" \
      org.opencontainers.image.description="A self-hosted gateway in front of LLM APIs that keeps a pool of keys alive" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=program /out/program/ /
COPY --from=program --chown=10001:10001 /out/owned/ /
# Inside a container 127.0.0.1 is the container's own; what is published decides who gets in.
# A database of the Python version is looked for in the same volume.
ENV PATH=/usr/local/bin HOST=0.0.0.0 DATA_DIR=/data SQLITE_DB=/data/sqlite.db
WORKDIR /data
USER 10001:10001
EXPOSE 8090
VOLUME /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/gemini-balance", "health"]
ENTRYPOINT ["/usr/local/bin/gemini-balance"]
