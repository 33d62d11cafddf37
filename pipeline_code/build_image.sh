#!/bin/sh
# Builds and pushes the job image unless its tag exists; CodeBuild runs it, and so can you:
# IMAGE_URI=<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag> BASE_IMAGE=<image> sh pipeline_code/build_image.sh
set -eu
registry=${IMAGE_URI%%/*}
name=${IMAGE_URI#*/}
region=$(echo "$registry" | cut -d. -f4)

if aws ecr describe-images --region "$region" --repository-name "${name%%:*}" --image-ids "imageTag=${name##*:}" >/dev/null 2>&1; then
  echo "$IMAGE_URI exists"
  exit 0
fi
aws ecr get-login-password --region "$region" | docker login --username AWS --password-stdin "$registry"
docker build --file pipeline_code/Dockerfile --target job --build-arg "BASE_IMAGE=$BASE_IMAGE" --tag "$IMAGE_URI" .
docker push "$IMAGE_URI"
