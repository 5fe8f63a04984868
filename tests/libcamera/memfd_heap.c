/*
 * A stand-in for /dev/dma_heap/system, for tests where the kernel has none. Preloaded into a
 * program, it gives the program memfds in place of dma-bufs. That is enough for libcamera's virtual
 * cameras, which fill their buffers by CPU.
 *
 * Memory that a device writes must be read between the start and the end of an announced access
 * (DMA_BUF_IOCTL_SYNC). Here nothing goes wrong without, so the announcements can be seen: for
 * each, and for each buffer made, a line is appended to the file that EYELID_HEAP_LOG names, with
 * the inode that /proc/PID/maps shows for the buffer too:
 *     alloc INODE
 *     start|end read|write|both INODE
 *
 * Only what goes through the C library is seen: libcamera calls its open64() and ioctl().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAP "eyelid-heap"
#define BUFFER "eyelid-heap-buffer"

/* Ours are told from all other files by the name that /proc shows. That needs no table and survives
 * dup(). */
static int is_memfd(int fd, const char *name)
{
	char link[32], wanted[64], target[64] = "";

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	snprintf(wanted, sizeof wanted, "/memfd:%s (deleted)", name);
	return readlink(link, target, sizeof target - 1) > 0 && !strcmp(target, wanted);
}

static void note(const char *what, int buffer)
{
	const char *path = getenv("EYELID_HEAP_LOG");
	struct stat status;

	if (!path)
		return;
	/* A single write to the end of the file: lines of several threads and processes stay whole. */
	int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (log < 0 || fstat(buffer, &status) || dprintf(log, "%s %ju\n", what, (uintmax_t)status.st_ino) < 0) {
		perror(path);
		abort();
	}
	close(log);
}

static int allocate(struct dma_heap_allocation_data *request)
{
	/* A dma-buf consists of whole pages. */
	const off_t page = sysconf(_SC_PAGESIZE);
	const off_t size = ((off_t)request->len + page - 1) / page * page;
	int fd = memfd_create(BUFFER, request->fd_flags & O_CLOEXEC ? MFD_CLOEXEC : 0);

	if (fd < 0 || ftruncate(fd, size))
		return -1;
	request->fd = fd;
	note("alloc", fd);
	return 0;
}

static int synchronize(int fd, const struct dma_buf_sync *sync)
{
	static const char *const what[] = {
		[DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ] = "start read",
		[DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE] = "start write",
		[DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW] = "start both",
		[DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ] = "end read",
		[DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE] = "end write",
		[DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW] = "end both",
	};

	if (sync->flags >= sizeof what / sizeof *what || !what[sync->flags]) {
		errno = EINVAL;
		return -1;
	}
	note(what[sync->flags], fd);
	return 0;
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (__OPEN_NEEDS_MODE(flags)) {
		va_list arguments;

		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	if (!strcmp(path, "/dev/dma_heap/system"))
		return memfd_create(HEAP, MFD_CLOEXEC);

	int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
	return next(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == DMA_HEAP_IOCTL_ALLOC && is_memfd(fd, HEAP))
		return allocate(argument);
	if (request == DMA_BUF_SET_NAME && is_memfd(fd, BUFFER))
		return 0;
	if (request == DMA_BUF_IOCTL_SYNC && is_memfd(fd, BUFFER))
		return synchronize(fd, argument);

	int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	return next(fd, request, argument);
}
