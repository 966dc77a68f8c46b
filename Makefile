# Plain verbs over CMake. `make demo` and `make test` set up what they need; both are safe to repeat.
MODEL ?=
JOBS ?= $(shell nproc)
BIN := build/release/mobilevd

.PHONY: help demo test test-fast test-torch test-portable build docs setup setup-dev format lint asan tsan bench fuzz clean
help:
	@echo "make demo    build, and turn a photograph into a clip"
	@echo "make test    build, and run every test"
	@echo "make test-torch  the same with LibTorch: the torch executor and training"
	@echo "make test-portable  LibTorch and header-only libraries alone (docs/building.md)"
	@echo "make build   the program alone: $(BIN)"
	@echo "make docs    the documents as a site with search: build/site"
	@echo "make format | lint | asan | tsan | bench | fuzz | clean"

setup:
	@tools/setup.sh build
setup-dev:
	@tools/setup.sh build test

define configure_and_build
	@cmake --preset $(1) >build-$(1).log 2>&1 || { cat build-$(1).log; exit 1; }
	@mkdir -p build/$(1) && mv build-$(1).log build/$(1)/configure.log
	@cmake --build build/$(1) -j $(JOBS) $(if $(2),--target $(2))
endef

build: setup
	@echo "== building $(BIN)"
	$(call configure_and_build,release,mobilevd)

demo: build
	@tools/demo.sh $(BIN)

test: setup-dev
	@echo "== building the program and its tests"
	$(call configure_and_build,release,)
	@echo "== running the tests"
	@cd build/release && ctest --output-on-failure

test-fast: setup-dev
	$(call configure_and_build,release,)
	@cd build/release && ctest --output-on-failure -L fast

# The LibTorch build and its tests; a Python that has torch is TORCH_PYTHON, python3 or one made in build/.
test-torch: setup-dev
	@prefix=$$(tools/torch_prefix.sh build/torch-venv) && mkdir -p build/torch && \
	  { cmake --preset torch "-DCMAKE_PREFIX_PATH=$$prefix" >build/torch/configure.log 2>&1 || \
	    { cat build/torch/configure.log; exit 1; }; }
	@cmake --build build/torch -j $(JOBS)
	@cd build/torch && ctest --output-on-failure -L "torch|fast"

test-portable: setup
	@prefix=$$(tools/torch_prefix.sh build/torch-venv) && JOBS=$(JOBS) tools/portable_build.sh build/portable "$$prefix"

format:
	@tools/format.sh --fix
lint:
	@tools/format.sh
	@python3 tools/check_layers.py
	@python3 tools/check_sizes.py

asan tsan: setup-dev
	$(call configure_and_build,$@,)
	@cd build/$@ && ctest --output-on-failure -L fast

docs:
	@tools/site.sh

bench: build
	@$(BIN) bench --preset svd --component unet --height 256 --width 512
	@$(BIN) bench --preset svd --component taesd_decoder --height 256 --width 512

fuzz: setup-dev
	$(call configure_and_build,fuzz,)
	@tools/fuzz.sh build/fuzz 300

clean:
	rm -rf build
