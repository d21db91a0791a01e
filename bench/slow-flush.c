// Preloaded into a server: each flush takes FLUSH_DELAY_MS longer, and holds its thread meanwhile, as a disk does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOW(name)                                                  \
  int name(int fd) {                                                \
    usleep(1000 * atoi(getenv("FLUSH_DELAY_MS")));                  \
    return ((int (*)(int))dlsym(RTLD_NEXT, #name))(fd);             \
  }
SLOW(fsync)
SLOW(fdatasync)
