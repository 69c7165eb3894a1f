"""Access to Ceph: librados and libcephfs in a worker process."""
