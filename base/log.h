// Structured logging: an event name and key/value fields, written as logfmt or JSON, one line per
// connection and per migration. A Log is passed to whoever writes; there is no global one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/messages.h"

namespace migd {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view event,
                     const std::vector<MessageField>& fields) = 0;
  // False: such a line would be left out, and need not be made.
  virtual bool writes(LogLevel level) const = 0;

  void info(std::string_view event, std::vector<MessageField> fields = {}) {
    write(LogLevel::kInfo, event, fields);
  }
  void warn(std::string_view event, std::vector<MessageField> fields = {}) {
    write(LogLevel::kWarn, event, fields);
  }
};

// Swallows everything: tests.
class NullLog : public Log {
 public:
  void write(LogLevel, std::string_view, const std::vector<MessageField>&) override {}
  bool writes(LogLevel) const override { return false; }
};

enum class LogFormat { kLogfmt, kJson };

// Writes lines to a file or, with an empty path, to stderr (base/log_spdlog.cc); also to stderr,
// after a warning, when the file cannot be opened. Lines are with the system before `loop` waits
// again, warnings and errors at once, as is every line without a loop. A failed check hands over
// what is left (base/check.h). `loop` is not destroyed while lines are written.
std::unique_ptr<Log> make_log(LogFormat format, LogLevel least, const std::string& path,
                              EventLoop* loop = nullptr);

}  // namespace migd
