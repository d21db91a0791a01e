// Preloaded into the server under test: makes one call on a file below a folder fail, or write less than it was
// asked to. The plan is a line in the file $FAULT_PLAN, "id operation which error", read anew at each call: the
// `which`th call of the operation since the plan got its id. Every call is noted in the file $FAULT_LOG.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(fate) do { int error = (fate); if (error > 0) { errno = error; return -1; } } while (0)
// A bare system call, which is never counted and never fails: so the plan and the log are reached.
#define BARE(...) REAL(syscall)(__VA_ARGS__)

static int raw_open(const char *path, int flags) {
  return (int)BARE(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0666);
}

// The decoder processes of the server inherit the library, but calls are counted in the server alone.
static int in_server;

__attribute__((constructor)) static void find_server(void) {
  char pid[24];
  snprintf(pid, sizeof pid, "%ld", (long)getpid());
  const char *server = getenv("FAULT_SERVER");
  if (server == NULL) setenv("FAULT_SERVER", pid, 1);
  in_server = server == NULL || strcmp(server, pid) == 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long plan_id = -1;
static int calls;
// The descriptor that takes nothing at the next write, or -1.
static int stalled = -1;

struct plan { long id; char operation[16]; int which; char error[16]; };

static int read_plan(struct plan *plan) {
  char text[128];
  int fd = raw_open(getenv("FAULT_PLAN"), O_RDONLY);
  if (fd < 0) return 0;
  ssize_t length = BARE(SYS_read, fd, text, sizeof text - 1);
  BARE(SYS_close, fd);
  if (length <= 0) return 0;
  text[length] = 0;
  return sscanf(text, "%ld %15s %d %15s", &plan->id, plan->operation, &plan->which, plan->error) == 4;
}

static void note(const char *operation, const char *path, const char *error) {
  char line[PATH_MAX + 64];
  int length = snprintf(line, sizeof line, "%ld %s %s %s\n", plan_id, operation, error, path);
  int fd = raw_open(getenv("FAULT_LOG"), O_WRONLY | O_APPEND | O_CREAT);
  if (fd < 0) return;
  BARE(SYS_write, fd, line, length);
  BARE(SYS_close, fd);
}

static int number_of(const char *error) {
  static const struct { const char *name; int number; } errors[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE}, {"EACCES", EACCES}, {"EROFS", EROFS}, {"EXDEV", EXDEV},
  };
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (strcmp(error, errors[i].name) == 0) return errors[i].number;
  return strcmp(error, "short") == 0 ? -1 : strcmp(error, "nothing") == 0 ? -2 : 0;
}

// Where a path leads, the descriptors in it and a link at its end included.
static const char *resolve(const char *path, char *buffer) {
  if (strncmp(path, "/proc/self/fd/", 14) != 0) return path;
  char link[64];
  size_t digits = strspn(path + 14, "0123456789");
  if (digits > 20) return path;
  snprintf(link, sizeof link, "%.*s", (int)(14 + digits), path);
  ssize_t length = readlink(link, buffer, PATH_MAX - 1);
  if (length < 0) return path;
  snprintf(buffer + length, PATH_MAX - length, "%s", path + 14 + digits);
  return buffer;
}

static const char *path_of(int fd, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, buffer, PATH_MAX - 1);
  buffer[length < 0 ? 0 : length] = 0;
  return buffer;
}

// The plan for a call: 0 no fault, an error number, -1 half of the bytes, -2 no bytes.
static int fate_of(const char *operation, const char *path) {
  const char *folder = getenv("FAULT_FOLDER");
  if (!in_server || folder == NULL || strncmp(path, folder, strlen(folder)) != 0) return 0;
  int kept = errno, fate = 0;
  struct plan plan;
  pthread_mutex_lock(&lock);
  if (read_plan(&plan)) {
    if (plan.id != plan_id) { plan_id = plan.id; calls = 0; }
    if (strcmp(plan.operation, operation) == 0 && ++calls == plan.which) fate = number_of(plan.error);
    note(operation, path, fate == 0 ? "-" : plan.error);
  }
  pthread_mutex_unlock(&lock);
  errno = kept;
  return fate;
}

static int fate_of_open(const char *path) {
  char buffer[2 * PATH_MAX];
  return fate_of("open", resolve(path, buffer));
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    int fate = fate_of_open(path); \
    FAIL(fate); \
    return REAL(name)(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

static int fate_of_descriptor(const char *operation, int fd) {
  char buffer[PATH_MAX];
  return fate_of(operation, path_of(fd, buffer));
}

// A short write on its own would be continued by libuv, unseen by the server. Where the next one takes nothing,
// libuv gives up and hands the short count on.
static ssize_t write_some(int fd, const struct iovec *parts, int count, off_t at, int fate) {
  stalled = fate == -1 ? fd : -1;
  if (fate == -2) return 0;
  size_t all = 0;
  for (int i = 0; i < count; i++) all += parts[i].iov_len;
  size_t some = all > 1 ? all / 2 : all, done = 0;
  for (int i = 0; i < count && done < some; i++) {
    size_t length = parts[i].iov_len < some - done ? parts[i].iov_len : some - done;
    ssize_t written = at < 0 ? BARE(SYS_write, fd, parts[i].iov_base, length)
                             : BARE(SYS_pwrite64, fd, parts[i].iov_base, length, at + (off_t)done);
    if (written < 0) return done > 0 ? (ssize_t)done : -1;
    done += written;
  }
  return done;
}

#define WRITE(fd, parts, count, at, real) \
  int fate = stalled == (fd) ? -2 : fate_of_descriptor("write", fd); \
  FAIL(fate); \
  return fate < 0 ? write_some(fd, parts, count, at, fate) : (real);

ssize_t write(int fd, const void *bytes, size_t length) {
  struct iovec part = {(void *)bytes, length};
  WRITE(fd, &part, 1, -1, REAL(write)(fd, bytes, length))
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  WRITE(fd, parts, count, -1, REAL(writev)(fd, parts, count))
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  struct iovec part = {(void *)bytes, length};
  WRITE(fd, &part, 1, at, REAL(pwrite)(fd, bytes, length, at))
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  struct iovec part = {(void *)bytes, length};
  WRITE(fd, &part, 1, at, REAL(pwrite64)(fd, bytes, length, at))
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  WRITE(fd, parts, count, at, REAL(pwritev)(fd, parts, count, at))
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  WRITE(fd, parts, count, at, REAL(pwritev64)(fd, parts, count, at))
}

int fsync(int fd) {
  FAIL(fate_of_descriptor("fsync", fd));
  return REAL(fsync)(fd);
}

// As Linux does: the descriptor is closed even where an error is reported.
int close(int fd) {
  int fate = fate_of_descriptor("close", fd);
  int result = (int)BARE(SYS_close, fd);
  FAIL(fate);
  return result;
}
// The call by which Node closes.
long syscall(long call, ...) {
  long given[6];
  va_list rest;
  va_start(rest, call);
  for (int i = 0; i < 6; i++) given[i] = va_arg(rest, long);
  va_end(rest);
  if (call == SYS_close) return close((int)given[0]);
  return BARE(call, given[0], given[1], given[2], given[3], given[4], given[5]);
}

int rename(const char *from, const char *to) {
  char buffer[2 * PATH_MAX];
  FAIL(fate_of("rename", resolve(from, buffer)));
  return REAL(rename)(from, to);
}
int link(const char *from, const char *to) {
  char buffer[2 * PATH_MAX];
  FAIL(fate_of("link", resolve(from, buffer)));
  return REAL(link)(from, to);
}
int unlink(const char *path) {
  char buffer[2 * PATH_MAX];
  FAIL(fate_of("unlink", resolve(path, buffer)));
  return REAL(unlink)(path);
}
