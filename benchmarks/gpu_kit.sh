#!/usr/bin/env bash
# Everything that is to be measured on one GPU, in order of value: benchmarks/gpu_kit.sh --cifar100 PARQUET_DIRECTORY
# Without a GPU: benchmarks/gpu_kit.sh --dry-run
exec "${PYTHON:-python}" "$(dirname "$0")/gpu_kit.py" "$@"
