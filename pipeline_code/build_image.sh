#!/bin/sh
# Builds and pushes each image unless its tag exists; CodeBuild runs it, and so can you:
# IMAGE_URI=<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag> SERVE_IMAGE_URI=... BASE_IMAGE=<image> sh pipeline_code/build_image.sh
set -eu

build() { # target, uri
  registry=${2%%/*}
  name=${2#*/}
  region=$(echo "$registry" | cut -d. -f4)
  if aws ecr describe-images --region "$region" --repository-name "${name%%:*}" --image-ids "imageTag=${name##*:}" >/dev/null 2>&1; then
    echo "$2 exists"
    return
  fi
  aws ecr get-login-password --region "$region" | docker login --username AWS --password-stdin "$registry"
  docker build --file pipeline_code/Dockerfile --target "$1" --build-arg "BASE_IMAGE=$BASE_IMAGE" --tag "$2" .
  docker push "$2"
}

# The server's last: whoever starts a run asks for that one, and needs both.
build job "$IMAGE_URI"
build serve "$SERVE_IMAGE_URI"
