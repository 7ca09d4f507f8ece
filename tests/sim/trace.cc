#include "tests/sim/trace.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

namespace migd::sim {
namespace {

void put_u32(std::FILE* file, std::uint32_t value) {
  std::fwrite(&value, sizeof value, 1, file);
}

}  // namespace

Trace::Trace(const SimNet& net) : net_(net) {
  print_ = std::getenv("MIGD_SIM_TRACE") != nullptr;
  const char* path = std::getenv("MIGD_SIM_PCAP");
  if (path == nullptr || (pcap_ = std::fopen(path, "wb")) == nullptr) return;
  // pcap with nanoseconds, in this machine's byte order; link type 101: bare IP packets.
  for (const std::uint32_t word : {0xa1b23c4du, 0x00040002u, 0u, 0u, 262144u, 101u}) {
    put_u32(pcap_, word);
  }
}

Trace::~Trace() {
  if (pcap_ != nullptr) std::fclose(pcap_);
}

void Trace::write_packet(Instant at, ByteView packet) {
  const std::int64_t ns = at.time_since_epoch().count();
  const auto size = static_cast<std::uint32_t>(packet.size());
  put_u32(pcap_, static_cast<std::uint32_t>(ns / 1'000'000'000));
  put_u32(pcap_, static_cast<std::uint32_t>(ns % 1'000'000'000));
  put_u32(pcap_, size);
  put_u32(pcap_, size);
  std::fwrite(packet.data(), 1, packet.size(), pcap_);
}

void Trace::on_crossing(const Crossing& crossing) {
  const bool sent = crossing.point == Crossing::Point::kSent;
  if (pcap_ != nullptr && sent) write_packet(crossing.at, crossing.packet);
  if (!print_) return;
  const auto ip = addresses_of(crossing.packet);
  if (!ip) return;
  const std::string what =
      crossing.tcp != nullptr
          ? crossing.tcp->to_string()
          : fmt::format("{} > {} protocol {}, {} bytes", ip->src.to_string(), ip->dst.to_string(),
                        ip->protocol, crossing.packet.size());
  const char* const verb = sent                                            ? "->"
                           : crossing.point == Crossing::Point::kDelivered ? ">>"
                                                                           : "xx";
  note(crossing.at,
       fmt::format("{} {} {}: {}", net_.name(crossing.from), verb, net_.name(crossing.to), what));
}

void Trace::on_message(PortId node, Instant at, const Message& message) {
  if (!print_) return;
  std::string line = fmt::format("{} ** {}", net_.name(node), name_of(message));
  for (const MessageField& field : fields_of(message)) {
    line += fmt::format(" {}={}", field.key, field.value);
  }
  note(at, line);
}

void Trace::note(Instant at, const std::string& line) {
  if (print_) fmt::print(stderr, "{:>10} {}\n", to_microseconds(at.time_since_epoch()), line);
}

}  // namespace migd::sim
