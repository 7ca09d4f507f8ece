// A Frame is one IP packet on its way through the node: move-only, its buffer taken from a
// FramePool and given back when the Frame dies, with headroom in front for an outer header, and
// with the offload data that came with it or shall go out with it. A frame may be far larger than
// the MTU when it stands for a train of segments (gso). Keeping one (a hold queue) is explicit and
// is charged to the flow with charge().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace migd {

// What the kernel calls a virtio_net_hdr, in our words.
struct Offload {
  enum class Gso : std::uint8_t { kNone, kTcp, kUdp };
  enum class Checksum : std::uint8_t {
    kUnknown,   // the field is complete; whoever trusts it must verify it first
    kVerified,  // the field is complete, or the sender is this machine: no need to verify
    kPartial,   // the field holds the pseudo-header sum only; the device completes it
  };
  Gso gso = Gso::kNone;
  std::uint16_t gso_size = 0;  // payload bytes of each segment, the last may be shorter
  Checksum checksum = Checksum::kUnknown;

  bool operator==(const Offload&) const = default;
};

class FramePool;

class Frame {
 public:
  static constexpr std::size_t kHeadroom =
      160;  // outer IPv6 + UDP + our header, link header, slack

  Frame() = default;
  Frame(Frame&& other) noexcept { swap(other); }
  Frame& operator=(Frame&& other) noexcept {
    Frame dying(std::move(other));
    swap(dying);
    return *this;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame();

  explicit operator bool() const { return buffer_ != nullptr; }

  ByteView bytes() const { return {data(), size_}; }
  MutableBytes mutable_bytes() { return {buffer_ + offset_, size_}; }
  const std::uint8_t* data() const { return buffer_ + offset_; }
  std::uint8_t* data() { return buffer_ + offset_; }
  std::size_t size() const { return size_; }
  std::size_t headroom() const { return offset_; }
  std::size_t tailroom() const { return capacity_ - offset_ - size_; }

  MutableBytes prepend(std::size_t n);  // grows into the headroom, CHECKs that it is there
  MutableBytes append(std::size_t n);   // grows into the tailroom, CHECKs that it is there
  void trim_front(std::size_t n);       // forgets the first n bytes
  void truncate(std::size_t new_size);  // forgets the bytes behind new_size

  // What holding this frame costs: the buffer, not just the bytes in it.
  std::size_t charge() const { return capacity_; }

  Frame clone() const;  // a copy, from the same pool

  Offload offload;

 private:
  friend class FramePool;
  void swap(Frame& other) noexcept;

  std::shared_ptr<FramePool> pool_;
  std::uint8_t* buffer_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t offset_ = 0;
  std::uint32_t size_ = 0;
};

// Two size classes, because almost every frame is either at most an MTU or a large train. Not
// thread-safe: a node is one thread. Frames keep their pool alive.
class FramePool : public std::enable_shared_from_this<FramePool> {
 public:
  static std::shared_ptr<FramePool> create() { return std::shared_ptr<FramePool>(new FramePool); }
  ~FramePool();

  // A frame of `size` uninitialised bytes with at least kHeadroom in front. CHECKs size <=
  // kLargest.
  Frame allocate(std::size_t size);
  Frame copy_of(ByteView bytes);

  // Bytes of the buffers that are in frames now.
  std::size_t lent() const { return lent_; }

  static constexpr std::size_t kSmall = 2048;
  static constexpr std::size_t kLargest = 65536 + 512;

 private:
  friend class Frame;
  FramePool() = default;
  void give_back(std::uint8_t* buffer, std::uint32_t capacity);

  std::size_t lent_ = 0;
  std::vector<std::uint8_t*> free_small_;
  std::vector<std::uint8_t*> free_large_;
};

// Who takes frames. A sink takes ownership; what it does not want dies with the argument.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void on_frame(Frame frame, Instant now) = 0;
  // True: it pays to show frames before they come, several at a time. Their entries in tables that
  // are in no cache are then fetched side by side, not one after the other.
  virtual bool looks_ahead() const { return false; }
  // They come next, in this order.
  virtual void look_ahead(std::span<const Frame> /*frames*/) {}
  // The device has nothing more to read for now: flush what was gathered.
  virtual void on_batch_end(Instant /*now*/) {}
};

}  // namespace migd
