# A small image with vecferry and nothing else that runs. docs/install.md says how to use it.
#
#   docker build --tag vecferry .

FROM rust:1.89-alpine3.22 AS build
# The image brings a C compiler without the headers of the C library, which two crates (`ring`, `libmimalloc-sys`) are compiled with.
RUN apk add --no-cache musl-dev
WORKDIR /source
COPY . .
# On Alpine the C library is musl, and the binary is static.
RUN cargo build --release --locked && strip target/release/vecferry

FROM alpine:3.22
# The number is what clusters check that refuse images which might run as root.
RUN adduser -D -u 10001 vecferry
COPY --from=build /source/target/release/vecferry /usr/local/bin/vecferry
USER 10001
# Plans, vecferry.toml and the state are mounted here.
WORKDIR /plans
ENTRYPOINT ["vecferry"]
