// Preloaded into a program: makes one call of one kind fail, or kills the process there.
//
// MVD_FAULT=KIND:N:WHAT    the N-th call of KIND, counted from main on, fails with the errno WHAT; with WHAT =
//                          KILL the process gets SIGKILL instead. KIND is one of
//                            alloc   malloc, calloc, realloc, aligned_alloc, posix_memalign (operator new too)
//                            write   write, pwrite, writev to anything but the standard descriptors
//                            fsync   fsync, fdatasync
//                            rename  rename, renameat2, link
//                            create  open and openat with O_CREAT, mkdir
// MVD_FAULT_MARK=FILE      is made once the fault has happened: without it the program made fewer calls.
// MVD_FAULT_COUNTS=FILE    gets a line "KIND NUMBER" for each kind when main returns: how many calls there were.
// MVD_NO_RENAMEAT2=1       renameat2 fails with EINVAL, as on file systems that lack it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum Kind { kNone, kAlloc, kWrite, kFsync, kRename, kCreate };
static const char* const kNames[] = {"", "alloc", "write", "fsync", "rename", "create"};

static atomic_int counting;
static atomic_long made[kCreate + 1];
static enum Kind chosen;
static long at;      // the call of the chosen kind that fails, from 1
static int failure;  // an errno, or -1 to be killed

static const struct {
  const char* name;
  int value;
} kErrors[] = {{"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC}, {"EIO", EIO},     {"EDQUOT", EDQUOT}, {"EACCES", EACCES},
               {"EROFS", EROFS},   {"EPERM", EPERM},   {"EFBIG", EFBIG}, {"KILL", -1}};

static void Mark(void) {
  const char* mark = getenv("MVD_FAULT_MARK");
  // No function of ours or of stdio: they allocate, and count.
  if (mark) syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT, 0666);
}

// Whether this call is the one; errno is set then.
static int Fails(enum Kind kind) {
  if (!atomic_load(&counting) || atomic_fetch_add(&made[kind], 1) + 1 != at || kind != chosen) return 0;
  Mark();
  if (failure < 0) kill(getpid(), SIGKILL);
  errno = failure;
  return 1;
}

static void Configure(void) {
  const char* fault = getenv("MVD_FAULT");
  if (!fault) return;
  for (int kind = kAlloc; kind <= kCreate; ++kind) {
    const size_t length = strlen(kNames[kind]);
    if (strncmp(fault, kNames[kind], length) != 0 || fault[length] != ':') continue;
    char* end = NULL;
    at = strtol(fault + length + 1, &end, 10);
    for (size_t i = 0; i < sizeof kErrors / sizeof kErrors[0]; ++i)
      if (*end == ':' && strcmp(end + 1, kErrors[i].name) == 0) failure = kErrors[i].value;
    chosen = (enum Kind)kind;
  }
  if (!chosen || !failure) abort();
}

static void WriteCounts(void) {
  const char* file = getenv("MVD_FAULT_COUNTS");
  const int fd = file ? (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
  if (fd < 0) return;
  for (int kind = kAlloc; kind <= kCreate; ++kind) dprintf(fd, "%s %ld\n", kNames[kind], atomic_load(&made[kind]));
  close(fd);
}

// From main to its return: what static constructors do in libraries is not what is tested.
static int (*program_main)(int, char**, char**);
static int CountedMain(int argc, char** argv, char** env) {
  Configure();
  atomic_store(&counting, 1);
  const int code = program_main(argc, argv, env);
  atomic_store(&counting, 0);
  WriteCounts();
  return code;
}
int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void* stack_end) {
  int (*real)(int (*)(int, char**, char**), int, char**, void (*)(void), void (*)(void), void (*)(void), void*);
  *(void**)&real = dlsym(RTLD_NEXT, "__libc_start_main");
  program_main = main;
  return real(CountedMain, argc, argv, init, fini, rtld_fini, stack_end);
}

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void* malloc(size_t size) { return Fails(kAlloc) ? NULL : __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return Fails(kAlloc) ? NULL : __libc_calloc(count, size); }
void* realloc(void* old, size_t size) { return Fails(kAlloc) ? NULL : __libc_realloc(old, size); }
void* memalign(size_t align, size_t size) { return Fails(kAlloc) ? NULL : __libc_memalign(align, size); }
void* aligned_alloc(size_t align, size_t size) { return Fails(kAlloc) ? NULL : __libc_memalign(align, size); }
int posix_memalign(void** to, size_t align, size_t size) {
  if (Fails(kAlloc)) return errno;
  void* made = __libc_memalign(align, size);
  if (!made) return ENOMEM;
  *to = made;
  return 0;
}

ssize_t write(int fd, const void* from, size_t size) {
  if (fd > 2 && Fails(kWrite)) return -1;
  return syscall(SYS_write, fd, from, size);
}
ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  if (fd > 2 && Fails(kWrite)) return -1;
  return syscall(SYS_pwrite64, fd, from, size, at);
}
ssize_t pwrite64(int fd, const void* from, size_t size, off_t at) { return pwrite(fd, from, size, at); }
ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (fd > 2 && Fails(kWrite)) return -1;
  return syscall(SYS_writev, fd, parts, count);
}
int fsync(int fd) { return Fails(kFsync) ? -1 : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return Fails(kFsync) ? -1 : (int)syscall(SYS_fdatasync, fd); }

int rename(const char* from, const char* to) {
  return Fails(kRename) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  if (getenv("MVD_NO_RENAMEAT2")) {
    errno = EINVAL;
    return -1;
  }
  return Fails(kRename) ? -1 : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}
int link(const char* from, const char* to) {
  return Fails(kRename) ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdir(const char* path, mode_t mode) {
  return Fails(kCreate) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
static int Open(int folder, const char* path, int flags, mode_t mode) {
  if ((flags & O_CREAT) && Fails(kCreate)) return -1;
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}
#define MODE_OF(flags)               \
  mode_t mode = 0;                   \
  if (flags & (O_CREAT | O_TMPFILE)) { \
    va_list list;                    \
    va_start(list, flags);           \
    mode = va_arg(list, mode_t);     \
    va_end(list);                    \
  }
int open(const char* path, int flags, ...) {
  MODE_OF(flags)
  return Open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE_OF(flags)
  return Open(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  MODE_OF(flags)
  return Open(folder, path, flags, mode);
}
