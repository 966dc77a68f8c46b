# Plain verbs over CMake. Each installs the Debian packages that it needs and that are missing, and says how much that is.
MODEL ?=
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DESTDIR ?=
BIN := build/release/mobilevd

.PHONY: help demo test test-fast test-torch test-portable build full install package docs setup-clips setup-full setup-test \
        format lint asan tsan bench fuzz clean
help:
	@echo "make demo      build, and turn a photograph into a clip"
	@echo "make test      build, and run every test"
	@echo "make build     the program that makes clips: $(BIN)"
	@echo "make full      the same with the command 'data prepare' (OpenCV, libarchive)"
	@echo "make install   the program, its models and documents to PREFIX=$(PREFIX), below DESTDIR"
	@echo "make package   a tarball that runs where nothing is installed: build/package/"
	@echo "make test-torch     the tests with LibTorch: the torch executor and training"
	@echo "make test-portable  LibTorch and header-only libraries alone (docs/building.md)"
	@echo "make docs      the documents as a site with search: build/site (mkdocs-material from PyPI)"
	@echo "make format | lint | asan | tsan | bench | fuzz | clean"

setup-clips:
	@tools/setup.sh clips
setup-full:
	@tools/setup.sh clips prepare
setup-test:
	@tools/setup.sh clips prepare test

# configure(PRESET, CMAKE OPTIONS), silent unless it fails; compile(PRESET, TARGET).
define configure
	@mkdir -p build/$(1) && { cmake --preset $(1) $(2) >build/$(1)/configure.log 2>&1 || { cat build/$(1)/configure.log; exit 1; }; }
endef
define compile
	@cmake --build build/$(1) -j $(JOBS) $(if $(2),--target $(2))
endef

build: setup-clips
	@echo "== building $(BIN)"
	$(call configure,release)
	$(call compile,release,mobilevd)

full: setup-full
	@echo "== building $(BIN) with 'data prepare'"
	$(call configure,release,-DMVD_PREPARE=ON)
	$(call compile,release,mobilevd)

demo: build
	@tools/demo.sh $(BIN)

install: build
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)" --strip >/dev/null
	@echo "installed $(DESTDIR)$(PREFIX)/bin/mobilevd"

package: setup-full
	@tools/setup.sh package
	$(call configure,release,-DMVD_PREPARE=ON)
	$(call compile,release,mobilevd)
	@tools/package.sh build/release build/package

test: setup-test
	@echo "== building the program and its tests"
	$(call configure,release,-DMVD_PREPARE=ON -DMVD_TESTS=ON)
	$(call compile,release)
	@echo "== running the tests"
	@cd build/release && ctest --output-on-failure

test-fast: setup-test
	$(call configure,release,-DMVD_PREPARE=ON -DMVD_TESTS=ON)
	$(call compile,release)
	@cd build/release && ctest --output-on-failure -L fast

# The LibTorch build and its tests; a Python that has torch is TORCH_PYTHON, python3 or one made in build/.
test-torch: setup-test
	@tools/setup.sh torch
	@prefix=$$(tools/torch_prefix.sh build/torch-venv) && mkdir -p build/torch && \
	  { cmake --preset torch -DMVD_TESTS=ON "-DCMAKE_PREFIX_PATH=$$prefix" >build/torch/configure.log 2>&1 || \
	    { cat build/torch/configure.log; exit 1; }; }
	@cmake --build build/torch -j $(JOBS)
	@cd build/torch && ctest --output-on-failure -L "torch|fast"

test-portable: setup-clips
	@prefix=$$(tools/torch_prefix.sh build/torch-venv) && JOBS=$(JOBS) tools/portable_build.sh build/portable "$$prefix"

format:
	@tools/setup.sh lint
	@tools/format.sh --fix
lint:
	@tools/setup.sh lint
	@tools/format.sh
	@python3 tools/check_layers.py
	@python3 tools/check_sizes.py

asan tsan: setup-test
	$(call configure,$@,-DMVD_TESTS=ON)
	$(call compile,$@)
	@cd build/$@ && ctest --output-on-failure -L fast

docs:
	@tools/site.sh

bench: build
	@$(BIN) bench --preset svd --component unet --height 256 --width 512
	@$(BIN) bench --preset svd --component taesd_decoder --height 256 --width 512

# The seconds that each target runs.
FUZZ_SECONDS ?= 300
fuzz: setup-clips
	@tools/setup.sh fuzz
	$(call configure,fuzz)
	$(call compile,fuzz)
	@tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

clean:
	rm -rf build
