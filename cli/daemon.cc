#include "cli/daemon.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <ostream>

#include "app/files/posix_file_store.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/uv/uv_loop.h"
#include "base/uv/uv_stream.h"
#include "cli/admin/admin_server.h"
#include "cli/keys.h"
#include "cli/loop_probe.h"
#include "cli/node.h"
#include "cli/open_link.h"
#include "cli/version.h"

namespace migd {
namespace {

Duration processor_time() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

// A blob of 256 KiB is given back to the kernel by default as soon as it is freed, and the pages of
// the next one are faulted in one by one while its connection is silent.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

// But what ten thousand connections have left behind is given back: when this much of the heap is
// free, more than a third of it, and no connection has moved for a while. It takes milliseconds.
constexpr Duration kTidyEvery = 5s;
constexpr std::size_t kFreeWorthGiving = 8u << 20;
// To look at the heap of a million connections takes a tenth of a second: it is done only while it
// may tell something, after moves or when more than half of the connections have ended, until what
// is remembered of them is forgotten too.
constexpr Duration kTidyFor = limits::kTombstoneLifetime + 3 * kTidyEvery;

bool worth_giving_back() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.fordblks > kFreeWorthGiving && heap.fordblks > heap.uordblks / 2;
}

// A packet that waits costs more than a switch of processes: short slices let the daemon run at
// once when it is woken among busy neighbours (EEVDF). Linux before 6.12 takes no notice.
void run_soon_rather_than_long() {
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime_ns, deadline_ns, period_ns;
  } attributes{sizeof attributes, SCHED_OTHER, 0, getpriority(PRIO_PROCESS, 0), 0, 100'000, 0, 0};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// In the order in which it is made; it goes the other way round.
class Daemon {
 public:
  explicit Daemon(Config config)
      : config_(std::move(config)),
        log_(make_log(config_.log.format, config_.log.level, config_.log.file_path, &loop_)) {}

  // Everything up, or the error.
  Result<void> start() {
    for (const std::string& warning : config_.warnings) {
      log_->warn("configuration", {{"text", warning}});
    }
    // The socket first: it tells a second daemon of this configuration that there is one.
    if (Result<void> listening = listen(); !listening) return listening;
    Result<OpenedLink> opened = open_link(config_.link, loop_, pool_, [this](const Error& error) {
      log_->write(LogLevel::kError, "link_lost", {{"reason", error.text}});
      end(kExitFailed);
    });
    if (!opened) return tl::unexpected(opened.error());
    link_ = std::move(*opened);
    return start_node();
  }

  int run() {
    tidy_timer_->start(loop_.now() + kTidyEvery);
    for (const int signal_number : {SIGTERM, SIGINT}) {
      loop_.on_signal(signal_number, [this] { end(kExitDone); });
    }
    loop_.run();
    log_->info("stopped", {{"node", config_.node.self.name}});
    return exit_code_;
  }

 private:
  Result<void> listen() {
    const std::string& path = config_.admin.socket_path;
    std::error_code ignored;  // if it cannot be made, the socket cannot, and says why
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    Result<std::unique_ptr<StreamListener>> listener = streams_.listen(
        {StreamAddress::Kind::kUnix, path, 0}, [this](std::unique_ptr<StreamSocket> socket) {
          if (server_ != nullptr) server_->accept(std::move(socket));
        });
    if (!listener) {
      return fail(listener.error().code, "admin socket: " + listener.error().text);
    }
    listener_ = std::move(*listener);
    return {};
  }

  Result<void> start_node() {
    NodeOptions options = config_.node;
    // Without peers nobody needs to know the key, so the configuration need not name one.
    if (options.secret_keys.empty()) options.secret_keys.push_back(make_secret_key(rng_));
    Result<std::unique_ptr<Node>> node = Node::create(
        options, {*link_.link, loop_, rng_, *log_, files_, streams_, pool_,
                  [] { return static_cast<std::int64_t>(std::time(nullptr)); }, processor_time});
    if (!node) return tl::unexpected(node.error());
    node_ = std::move(*node);
    probe_ = std::make_unique<LoopProbe>(loop_, node_->metrics());
    AdminServerOptions admin{options.self.name, {}, options.migration_timeout};
    admin.names[options.self.id] = options.self.name;
    for (const PeerOptions& peer : options.peers)
      admin.names[peer.info.id] = peer.info.name;
    server_ = std::make_unique<AdminServer>(std::move(admin), loop_, *node_);
    log_->info("started", {{"node", options.self.name},
                           {"version", std::string(kVersion)},
                           {"link", link_.link->description()},
                           {"admin", config_.admin.socket_path}});
    return {};
  }

  void tidy() {
    tidy_timer_->start(loop_.now() + kTidyEvery);
    const std::uint64_t moves = node_->migrations().completed + node_->migrations().arrived;
    const bool quiet = moves == moves_before_;
    moves_before_ = moves;
    const std::uint32_t connections = node_->stack().counts().total;
    connections_most_ = std::max(connections_most_, connections);
    if (!quiet || connections < connections_most_ / 2) {
      tidy_until_ = loop_.now() + kTidyFor;
      connections_most_ = connections;
    }
    if (!quiet || loop_.now() >= tidy_until_ || !worth_giving_back()) return;

    malloc_trim(kFreeWorthGiving / 4);
  }

  void end(int exit_code) {
    exit_code_ = exit_code;
    if (node_ != nullptr) node_->shut_down();
    loop_.stop();
  }

  const Config config_;
  std::unique_ptr<Log> log_;
  SystemRng rng_;
  PosixFileStore files_;
  std::shared_ptr<FramePool> pool_ = FramePool::create();
  UvLoop loop_;
  UvStreamNetwork streams_{loop_};
  OpenedLink link_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<LoopProbe> probe_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<StreamListener> listener_;
  std::unique_ptr<Timer> tidy_timer_ = loop_.make_timer([this] { tidy(); });
  std::uint64_t moves_before_ = 0;
  std::uint32_t connections_most_ = 0;  // since it was tidied last
  Instant tidy_until_{};
  int exit_code_ = kExitDone;
};

// The relay has one descriptor for each connection.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Whoever waits may have gone: that is no reason not to run.
void say_ready(int fd) {
  while (write(fd, "\n", 1) < 0 && errno == EINTR) {
  }
  close(fd);
}

int exit_code_of(const Error& error) {
  const bool by_configuration = error.code == ErrorCode::kInvalidArgument ||
                                error.code == ErrorCode::kNotFound ||
                                error.code == ErrorCode::kPermission;
  return by_configuration ? kExitUsage : kExitFailed;
}

}  // namespace

int run_daemon(const RunOptions& options, Console& console) {
  const auto refuse = [&console](const std::string& text, int code) {
    console.err << text << "\n";
    return code;
  };
  if (options.ready_fd && fcntl(*options.ready_fd, F_SETFD, FD_CLOEXEC) != 0) {
    return refuse("migd: --ready-fd " + std::to_string(*options.ready_fd) + ": " +
                      std::strerror(errno) + " (see migd --help)",
                  kExitUsage);
  }
  Result<Config> config = load_config(options.config_path, SecretPolicy::kRequire);
  if (!config) return refuse(config.error().text, kExitUsage);

  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  keep_freed_memory();
  run_soon_rather_than_long();
  Daemon daemon(std::move(*config));
  if (const Result<void> started = daemon.start(); !started) {
    return refuse("migd: " + started.error().text, exit_code_of(started.error()));
  }
  if (options.ready_fd) say_ready(*options.ready_fd);
  return daemon.run();
}

}  // namespace migd
