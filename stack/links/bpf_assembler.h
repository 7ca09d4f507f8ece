// Instructions of BPF, one after the other, with forward jumps to labels. Only what
// stack/links/flow_steering.cc needs.
#pragma once

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace migd {

class BpfAssembler {
 public:
  using Register = std::uint8_t;  // BPF_REG_0 and so on

  // Jumps that wait for their target.
  class Label {
   public:
    ~Label() { MIGD_CHECK(waiting_.empty()); }

   private:
    friend class BpfAssembler;
    std::vector<std::size_t> waiting_;
  };

  const std::vector<bpf_insn>& code() const { return code_; }

  void load_constant(Register to, std::uint64_t value) { wide(to, 0, value); }
  // Of an array of one element, open as descriptor `map`.
  void load_map_value(Register to, int map) {
    wide(to, BPF_PSEUDO_MAP_VALUE, static_cast<std::uint32_t>(map));
  }
  // `size`: BPF_B, BPF_H or BPF_W, as it stands in memory.
  void load(Register to, std::uint8_t size, Register base, std::int16_t offset) {
    emit(BPF_LDX | BPF_MEM | size, to, base, offset, 0);
  }
  // `operation`: BPF_ADD, BPF_MOV, ...; on 64 bits.
  void compute(std::uint8_t operation, Register to, Register with) {
    emit(BPF_ALU64 | BPF_X | operation, to, with, 0, 0);
  }
  void compute(std::uint8_t operation, Register to, std::int32_t with) {
    emit(BPF_ALU64 | BPF_K | operation, to, 0, 0, with);
  }
  // `condition`: BPF_JEQ or BPF_JNE.
  void jump_if(std::uint8_t condition, Register left, std::int32_t right, Label& to) {
    to.waiting_.push_back(code_.size());
    emit(BPF_JMP | BPF_K | condition, left, 0, 0, right);
  }
  void jump(Label& to) {
    to.waiting_.push_back(code_.size());
    emit(BPF_JMP | BPF_JA, 0, 0, 0, 0);
  }
  void place(Label& label) {
    for (const std::size_t at : label.waiting_)
      code_[at].off = static_cast<std::int16_t>(code_.size() - at - 1);
    label.waiting_.clear();
  }
  void call(std::int32_t helper) { emit(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
  void exit(std::int32_t result) {
    compute(BPF_MOV, Register{BPF_REG_0}, result);
    emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

 private:
  void emit(int code, Register to, Register from, std::int16_t offset, std::int32_t constant) {
    bpf_insn instruction{};
    instruction.code = static_cast<std::uint8_t>(code);
    instruction.dst_reg = to & 0xf;
    instruction.src_reg = from & 0xf;
    instruction.off = offset;
    instruction.imm = constant;
    code_.push_back(instruction);
  }
  void wide(Register to, Register meaning, std::uint64_t value) {
    constexpr int kLoad = BPF_DW;  // with BPF_LD and BPF_IMM, which are 0
    emit(kLoad, to, meaning, 0, static_cast<std::int32_t>(value));
    emit(0, 0, 0, 0, meaning == 0 ? static_cast<std::int32_t>(value >> 32) : 0);
  }

  std::vector<bpf_insn> code_;
};

}  // namespace migd
