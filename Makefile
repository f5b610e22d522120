# A thin front for CMake: what people and CI type. CMakePresets.json has the details.
#
#   make up ARGS="--nodes 5"     extra arguments for `lockstep up`; FRESH=1 begins with empty data
#   make install PREFIX=/usr DESTDIR=/tmp/package

PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=

.DELETE_ON_ERROR:
.PHONY: all help setup-build setup-test setup-bench build up test bench install clean

all: build

help:
	@echo 'make          build build/lockstep'
	@echo 'make up       build, then run a local cluster (ARGS=..., FRESH=1 for empty data)'
	@echo 'make test     build with tests in build-dev and run them'
	@echo 'make bench    build and run the benchmarks (ARGS=...)'
	@echo 'make install  install (PREFIX, DESTDIR)'
	@echo 'make clean    remove all build directories'
	@echo 'Missing Debian packages are installed when run by root, and named otherwise.'

setup-build:
	@tools/setup build

setup-test:
	@tools/setup build test

setup-bench:
	@tools/setup build bench

build: setup-build
	@cmake --preset release >/dev/null
	@cmake --build --preset release

up: build
	@exec build/lockstep up $(if $(filter-out 0,$(FRESH)),--fresh) $(ARGS)

test: setup-test
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev
	@ctest --preset dev

bench: setup-bench build
	@exec bench/run $(ARGS)

install: build
	@DESTDIR='$(DESTDIR)' cmake --install build --prefix '$(PREFIX)'

clean:
	@rm -rf build build-*
