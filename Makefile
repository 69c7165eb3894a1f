# Every target installs what it needs on a bare Debian 12, as root, and is quick the second time.

prefix = /usr/local
DESTDIR =
PYTHON = /usr/bin/python3
VENV = .venv
NEWEST = .venv-newest

RUNTIME = python3 python3-click python3-yaml python3-paramiko python3-rich python3-tenacity python3-rados python3-cephfs openssh-client
DEV = python3-venv
CEPH = ceph-mon ceph-mgr ceph-osd ceph-mds ceph-common
LAB = $(CEPH) iproute2 kmod debootstrap qemu-system-x86 qemu-utils busybox-static cpio e2fsprogs openssh-client openssh-server haproxy curl bash zsh fish strace

apt = dpkg -s $(1) >/dev/null 2>&1 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends $(1) >/dev/null; }

.PHONY: help demo test test-newest test-cluster test-lab check lint types format unit bench faults record generated install clean packages lab-packages lab-clean lab-up lab-down lab-shell

help:
	@echo 'make demo          the platform on this machine, and cephctl at work on it'
	@echo 'make test          lint, types and every test, against a real cluster and real web nodes'
	@echo 'make check         lint, types and unit tests; under a minute'
	@echo 'make lint types format unit'
	@echo 'make bench         measure; prints figures, tests nothing'
	@echo 'make faults        every test of the lab and of rotations on both releases, not a sample; takes two hours'
	@echo 'make record        record the facts of every fault anew, on the lab; the checks are tested with them'
	@echo 'make generated     write the man pages and the completions anew'
	@echo 'make install       DESTDIR= prefix=/usr/local'
	@echo 'make lab-up lab-down lab-shell'
	@echo 'make clean         all that was built here (the images of the lab stay: make lab-clean removes them)'

demo: lab-packages $(VENV)/ready
	tests/lab/demo

# One part after the other; each ends with pytest's closing line, and the first that fails ends it all.
test: lint types test-newest test-cluster test-lab

# Not the generated files: they are what Debian's click makes.
test-newest: $(NEWEST)/ready
	$(NEWEST)/bin/pytest -q -n 2 cephctl tests/unit tests/cli --deselect tests/cli/test_program.py::test_generated_files_are_up_to_date

# A worker has a cluster of its own, on an address of its own; most of its time it waits.
test-cluster: lab-packages $(VENV)/ready
	$(VENV)/bin/pytest -q -n 4 --dist worksteal cephctl tests/unit tests/cli tests/cluster tests/ssh

test-lab: lab-packages $(VENV)/ready
	$(VENV)/bin/pytest -q tests/lab

check: lint types unit

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/ready
	$(VENV)/bin/mypy

format: $(VENV)/ready
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .

unit: $(VENV)/ready
	$(VENV)/bin/pytest -q -n 2 cephctl tests/unit tests/cli

bench: lab-packages $(VENV)/ready
	$(VENV)/bin/python -m tests.bench
	$(VENV)/bin/python -m tests.bench_ssh
	$(VENV)/bin/python -m tests.bench_rotation
	$(VENV)/bin/python -m tests.bench_tables

faults: lab-packages $(VENV)/ready
	$(VENV)/bin/pytest -q -n 4 --dist worksteal -m "" tests/cluster/test_rotation.py
	$(VENV)/bin/pytest -q -m "" tests/lab

record: lab-packages $(VENV)/ready
	CEPHCTL_RECORD=tests/facts $(VENV)/bin/pytest -q -m "" tests/lab/test_faults.py

generated: $(VENV)/ready
	$(VENV)/bin/python man/generate.py

packages:
	@$(call apt,$(RUNTIME) $(DEV))

lab-packages: packages
	@$(call apt,$(LAB))

# The system's Python, for the bindings; the versions that Debian ships, where it ships them.
$(VENV)/ready: setup.cfg pyproject.toml | packages
	$(PYTHON) -m venv --system-site-packages $(VENV)
	$(VENV)/bin/pip install -q --config-settings editable_mode=compat -e '.[dev]'
	touch $@

# The newest of what we depend on.
$(NEWEST)/ready: setup.cfg pyproject.toml | packages
	$(PYTHON) -m venv --system-site-packages $(NEWEST)
	$(NEWEST)/bin/pip install -q --config-settings editable_mode=compat -e '.[dev]'
	$(NEWEST)/bin/pip install -q --upgrade --ignore-installed click PyYAML paramiko rich tenacity
	touch $@

install: packages
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/share/man/man8 $(DESTDIR)$(prefix)/share/bash-completion/completions \
		$(DESTDIR)$(prefix)/share/zsh/vendor-completions $(DESTDIR)$(prefix)/share/fish/vendor_completions.d
	find cephctl -name '*.py' -exec install -D -m 644 {} $(DESTDIR)$(prefix)/lib/cephctl/{} \;
	printf '#!$(PYTHON)\nimport sys\n\nsys.path[0] = "$(prefix)/lib/cephctl"\nfrom cephctl.__main__ import main\n\nmain()\n' >$(DESTDIR)$(prefix)/bin/cephctl
	chmod 755 $(DESTDIR)$(prefix)/bin/cephctl
	$(PYTHON) -m compileall -q -d $(prefix)/lib/cephctl $(DESTDIR)$(prefix)/lib/cephctl
	install -d $(DESTDIR)$(prefix)/share/man/man7
	install -m 644 man/cephctl.8 $(DESTDIR)$(prefix)/share/man/man8/
	install -m 644 man/cephctl-doctor-checks.7 man/cephctl-json.7 $(DESTDIR)$(prefix)/share/man/man7/
	install -m 644 completions/cephctl.bash $(DESTDIR)$(prefix)/share/bash-completion/completions/cephctl
	install -m 644 completions/_cephctl $(DESTDIR)$(prefix)/share/zsh/vendor-completions/
	install -m 644 completions/cephctl.fish $(DESTDIR)$(prefix)/share/fish/vendor_completions.d/

lab-up: lab-packages $(VENV)/ready
	tests/lab/lab up

lab-down:
	tests/lab/lab down

lab-shell: lab-up
	tests/lab/lab run

lab-clean: lab-down
	rm -rf $${CEPHCTL_LAB_DIR:-/var/lib/cephctl-lab}

clean:
	rm -rf $(VENV) $(NEWEST) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
