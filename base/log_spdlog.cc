#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ostream_sink.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace migd {
namespace {

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  check_failed("LogLevel is known", __FILE__, __LINE__);
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  check_failed("LogLevel is known", __FILE__, __LINE__);
}

bool needs_quotes(std::string_view value) {
  return value.empty() || value.find_first_of(" =\"\\") != std::string_view::npos ||
         std::any_of(value.begin(), value.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte < 0x20 || byte == 0x7f;
         });
}

// A line stays one line, whatever bytes a value holds.
void append_logfmt_value(std::string& out, std::string_view value) {
  if (!needs_quotes(value)) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string logfmt_line(LogLevel level, std::string_view event,
                        const std::vector<MessageField>& fields) {
  std::string line = fmt::format("level={} event=", name_of(level));
  append_logfmt_value(line, event);
  for (const MessageField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_logfmt_value(line, field.value);
  }
  return line;
}

// Without the opening brace: the pattern writes it, and the time.
std::string json_line(LogLevel level, std::string_view event,
                      const std::vector<MessageField>& fields) {
  nlohmann::ordered_json object;
  object["level"] = name_of(level);
  object["event"] = event;
  for (const MessageField& field : fields)
    object[std::string(field.key)] = field.value;
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(1);
}

class SpdlogLog : public Log {
 public:
  SpdlogLog(LogFormat format, LogLevel least, spdlog::sink_ptr sink, EventLoop* loop)
      : format_(format), logger_("migd", std::move(sink)), loop_(loop) {
    // RFC 3339 in UTC; the clock of the wall, for people only.
    const char* const pattern = format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ",%v)"
                                                           : "time=%Y-%m-%dT%H:%M:%S.%fZ %v";
    logger_.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    logger_.set_level(spdlog_level(least));
    logger_.flush_on(loop != nullptr ? spdlog::level::warn : spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view event,
             const std::vector<MessageField>& fields) override {
    if (!writes(level)) return;
    const std::string line = format_ == LogFormat::kJson ? json_line(level, event, fields)
                                                         : logfmt_line(level, event, fields);
    logger_.log(spdlog_level(level), spdlog::string_view_t(line));
    if (loop_ != nullptr) flush_after_callback();
  }
  bool writes(LogLevel level) const override { return logger_.should_log(spdlog_level(level)); }

 private:
  // A system call for each line is a twentieth of what a short connection costs.
  void flush_after_callback() {
    if (std::exchange(flushing_, true)) return;
    loop_->post([this] {
      flushing_ = false;
      logger_.flush();
    });
  }

  LogFormat format_;
  spdlog::logger logger_;
  EventLoop* loop_;
  bool flushing_ = false;
};

}  // namespace

std::unique_ptr<Log> make_log(LogFormat format, LogLevel least, const std::string& path,
                              EventLoop* loop) {
  const auto on_stderr = [&] {
    if (loop != nullptr) std::setvbuf(stderr, nullptr, _IOFBF, BUFSIZ);
    // std::clog is stderr's buffer; spdlog's own sink for stderr flushes it after each line.
    return std::make_unique<SpdlogLog>(
        format, least, std::make_shared<spdlog::sinks::ostream_sink_st>(std::clog), loop);
  };
  if (path.empty()) return on_stderr();
  try {
    return std::make_unique<SpdlogLog>(
        format, least, std::make_shared<spdlog::sinks::basic_file_sink_st>(path), loop);
  } catch (const spdlog::spdlog_ex& error) {
    auto log = on_stderr();
    log->warn("log_file_unusable", {{"path", path}, {"reason", error.what()}});
    return log;
  }
}

}  // namespace migd
