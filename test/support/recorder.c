/*
 * Preloaded into a process, it writes down in the file named by RECORDER_FILE whatever may leave the machine (look-ups
 * and connections) and whatever is opened for writing or made, one line each: `KIND what`. It changes nothing.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void note(const char *kind, const char *what) {
  static int (*open_next)(const char *, int, ...);
  const char *file = getenv("RECORDER_FILE");
  if (file == NULL || what == NULL) return;
  if (open_next == NULL) open_next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
  int out = open_next(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (out < 0) return;
  char line[PATH_MAX + 40];
  int length = snprintf(line, sizeof line, "%s %s\n", kind, what);
  if (length > 0 && write(out, line, (size_t)length) < 0) abort();
  close(out);
}

/* A path as it is from the root, so that a relative one can be told apart. */
static void note_path(const char *path) {
  char whole[PATH_MAX];
  if (path == NULL) return;
  if (path[0] == '/' || getcwd(whole, sizeof whole) == NULL) {
    note("file", path);
    return;
  }
  size_t length = strlen(whole);
  snprintf(whole + length, sizeof whole - length, "/%s", path);
  note("file", whole);
}

static void note_address(const struct sockaddr *address) {
  char text[INET6_ADDRSTRLEN + 16];
  if (address == NULL) return;
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof text);
    note("connect", text);
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, sizeof text);
    note("connect", text);
  }
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  NEXT(connect);
  note_address(address);
  return next(fd, address, length);
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address, socklen_t length) {
  NEXT(sendto);
  note_address(address);
  return next(fd, bytes, size, flags, address, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  NEXT(sendmsg);
  note_address((const struct sockaddr *)message->msg_name);
  return next(fd, message, flags);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **answer) {
  NEXT(getaddrinfo);
  note("lookup", node);
  return next(node, service, hints, answer);
}

struct hostent *gethostbyname(const char *name) {
  NEXT(gethostbyname);
  note("lookup", name);
  return next(name);
}

#define OPEN(name)                                                    \
  int name(const char *path, int flags, ...) {                        \
    NEXT(name);                                                       \
    va_list rest;                                                     \
    va_start(rest, flags);                                            \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                     \
    if (flags & (O_CREAT | O_WRONLY | O_RDWR)) note_path(path);       \
    return next(path, flags, mode);                                   \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                  \
  int name(int folder, const char *path, int flags, ...) {            \
    NEXT(name);                                                       \
    va_list rest;                                                     \
    va_start(rest, flags);                                            \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                     \
    if (flags & (O_CREAT | O_WRONLY | O_RDWR)) note_path(path);       \
    return next(folder, path, flags, mode);                           \
  }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                   \
  FILE *name(const char *path, const char *mode) {                    \
    NEXT(name);                                                       \
    if (strpbrk(mode, "wa+") != NULL) note_path(path);                \
    return next(path, mode);                                          \
  }
FOPEN(fopen)
FOPEN(fopen64)

int mkdir(const char *path, mode_t mode) {
  NEXT(mkdir);
  note_path(path);
  return next(path, mode);
}

char *mkdtemp(char *path) {
  NEXT(mkdtemp);
  note_path(path);
  return next(path);
}

int mkstemp(char *path) {
  NEXT(mkstemp);
  note_path(path);
  return next(path);
}

int rename(const char *from, const char *to) {
  NEXT(rename);
  note_path(to);
  return next(from, to);
}

int symlink(const char *to, const char *path) {
  NEXT(symlink);
  note_path(path);
  return next(to, path);
}

int link(const char *from, const char *to) {
  NEXT(link);
  note_path(to);
  return next(from, to);
}
