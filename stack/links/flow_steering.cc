#include "stack/links/flow_steering.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/packet.h"
#include "stack/links/bpf_assembler.h"

namespace migd {
namespace {

// Registers that a call leaves alone. R10 is the frame: what the program copies stands below it.
constexpr BpfAssembler::Register kPacket = BPF_REG_6, kHash = BPF_REG_7, kSlots = BPF_REG_8,
                                 kFactor = BPF_REG_9, kFrame = BPF_REG_10;
constexpr BpfAssembler::Register kScratch = BPF_REG_1, kSlot = BPF_REG_2;

// The first 40 bytes of the packet, then of an IPv6 packet's TCP header the first 16. No TCP packet
// is shorter.
constexpr std::int16_t kIp = -40, kTcp6 = -56;
constexpr std::int32_t kIpBytes = 40, kTcp6Bytes = 16;
constexpr std::int16_t kFlags = 13;  // in the TCP header

class Program {
 public:
  Program(int map, KnownFlows::Secret secret) : map_(map), secret_(secret) {}

  const std::vector<bpf_insn>& build() {
    BpfAssembler::Label ipv6;
    code_.compute(BPF_MOV, kPacket, kScratch);
    code_.load_map_value(kSlots, map_);
    code_.load_constant(kFactor, secret_.factor);
    code_.load_constant(kHash, secret_.start);
    copy(/*from=*/0, kIp, kIpBytes);
    code_.load(kScratch, BPF_B, kFrame, kIp);
    code_.compute(BPF_RSH, kScratch, 4);
    code_.jump_if(BPF_JEQ, kScratch, 6, ipv6);
    code_.jump_if(BPF_JNE, kScratch, 4, stranger_);
    ipv4();
    code_.place(ipv6);
    ipv6_();
    code_.place(stranger_);
    code_.exit(static_cast<int>(FlowSteering::Queue::kStrangers));
    code_.place(opening_);
    code_.exit(static_cast<int>(FlowSteering::Queue::kOpening));
    code_.place(known_);
    code_.exit(static_cast<int>(FlowSteering::Queue::kKnown));
    return code_.code();
  }

 private:
  void ipv4() {
    constexpr std::int16_t kTcp = kIp + 20;
    mix(kIp + 16, 4);  // destination
    look_up();
    must_be(BPF_B, kIp, 0x45);  // no options
    must_be(BPF_B, kIp + 9, kProtocolTcp);
    code_.load(kScratch, BPF_H, kFrame, kIp + 6);
    code_.compute(BPF_AND, kScratch, htons(0x3fff));
    code_.jump_if(BPF_JNE, kScratch, 0, stranger_);  // a fragment
    check_flags(kTcp);
    mix(kIp + 12, 4);  // source
    mix(kTcp, 4);      // ports
    look_up();
    code_.jump(stranger_);
  }

  void ipv6_() {
    mix(kIp + 24, 16);
    look_up();
    must_be(BPF_B, kIp + 6, kProtocolTcp);
    copy(/*from=*/40, kTcp6, kTcp6Bytes);
    check_flags(kTcp6);
    mix(kIp + 8, 16);
    mix(kTcp6, 4);
    look_up();
  }

  // So many bytes of the packet onto the frame. One that has not so many is a stranger's.
  void copy(std::int32_t from, std::int16_t to, std::int32_t bytes) {
    code_.compute(BPF_MOV, BPF_REG_1, kPacket);
    code_.compute(BPF_MOV, BPF_REG_2, from);
    code_.compute(BPF_MOV, BPF_REG_3, kFrame);
    code_.compute(BPF_ADD, BPF_REG_3, std::int32_t{to});
    code_.compute(BPF_MOV, BPF_REG_4, bytes);
    code_.call(BPF_FUNC_skb_load_bytes);
    code_.jump_if(BPF_JNE, BPF_REG_0, 0, stranger_);
  }

  void must_be(std::uint8_t size, std::int16_t at, std::int32_t value) {
    code_.load(kScratch, size, kFrame, at);
    code_.jump_if(BPF_JNE, kScratch, value, stranger_);
  }

  // A SYN follows no flow.
  void check_flags(std::int16_t tcp) {
    code_.load(kScratch, BPF_B, kFrame, static_cast<std::int16_t>(tcp + kFlags));
    code_.compute(BPF_AND, kScratch, tcp_flag::kSyn | tcp_flag::kAck);
    code_.jump_if(BPF_JEQ, kScratch, tcp_flag::kSyn, opening_);
  }

  // KnownFlows::mix()
  void mix(std::int16_t at, std::int16_t bytes) {
    for (std::int16_t offset = 0; offset < bytes; offset = static_cast<std::int16_t>(offset + 4)) {
      code_.load(kScratch, BPF_W, kFrame, static_cast<std::int16_t>(at + offset));
      code_.compute(BPF_XOR, kHash, kScratch);
      code_.compute(BPF_MUL, kHash, kFactor);
      code_.compute(BPF_MOV, kScratch, kHash);
      code_.compute(BPF_RSH, kScratch, 32);
      code_.compute(BPF_XOR, kHash, kScratch);
    }
  }

  // KnownFlows::slot()
  void look_up() {
    code_.compute(BPF_MOV, kSlot, kHash);
    code_.compute(BPF_RSH, kSlot, std::int32_t{64 - KnownFlows::kSlotBits});
    code_.compute(BPF_ADD, kSlot, kSlots);
    code_.load(kScratch, BPF_B, kSlot, 0);
    code_.jump_if(BPF_JNE, kScratch, 0, known_);
  }

  int map_;
  KnownFlows::Secret secret_;
  BpfAssembler code_;
  BpfAssembler::Label stranger_, opening_, known_;
};

int bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

int make_table() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = KnownFlows::kSlots;
  attributes.max_entries = 1;
  attributes.map_flags = BPF_F_MMAPABLE;
  return bpf(BPF_MAP_CREATE, attributes);
}

int load_program(const std::vector<bpf_insn>& code) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = reinterpret_cast<std::uintptr_t>(code.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(code.size());
  attributes.license = reinterpret_cast<std::uintptr_t>("Apache-2.0");
  return bpf(BPF_PROG_LOAD, attributes);
}

tl::unexpected<Error> refused(const std::string& what, int error) {
  const bool permission = error == EPERM || error == EACCES;
  return fail(permission ? ErrorCode::kPermission : ErrorCode::kIo,
              what + ": " + (permission ? "CAP_BPF is missing" : std::strerror(error)));
}

}  // namespace

Result<std::unique_ptr<FlowSteering>> FlowSteering::load(KnownFlows::Secret secret) {
  const int table = make_table();
  if (table < 0) return refused("cannot make a table for BPF", errno);
  void* const slots =
      mmap(nullptr, KnownFlows::kSlots, PROT_READ | PROT_WRITE, MAP_SHARED, table, 0);
  if (slots == MAP_FAILED) {
    const int error = errno;
    close(table);
    return refused("cannot map a table of BPF", error);
  }
  const int program = load_program(Program(table, secret).build());
  const int error = errno;
  close(table);  // the program keeps it
  if (program < 0) {
    munmap(slots, KnownFlows::kSlots);
    return refused("cannot load a program of BPF", error);
  }
  return std::unique_ptr<FlowSteering>(
      new FlowSteering(program, static_cast<std::uint8_t*>(slots), secret));
}

FlowSteering::~FlowSteering() {
  munmap(slots_, KnownFlows::kSlots);
  close(program_);
}

}  // namespace migd
