// Tells a slow process from one that no longer runs. The connections of a stopped process, or of a machine or
// network that went silent, stay open, so that without this a sum over processes would wait for hours.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mvd {

struct HeartbeatTimes {
  std::chrono::milliseconds every{2000};
  // A process that is silent for more than this many of our own beats is lost. 30 s: far more than the delays
  // of a busy machine.
  int most_missed = 15;
};

// A thread in each process sends beats over TCP; rank 0 hears all of them and tells all who is lost. The
// thread beats whatever the process computes, so a long step is not silence. Silence is counted in our own
// beats: time in which this process itself did not run (Ctrl-Z, a suspended machine) does not count against
// the others.
class Heartbeat {
 public:
  // Rank 0: listens on a free port for ranks 1 to ranks - 1. Error(kPartial) where there is none.
  static std::unique_ptr<Heartbeat> Listen(int ranks, HeartbeatTimes times = {});
  // The others. Error(kPartial) where rank 0 cannot be reached.
  static std::unique_ptr<Heartbeat> Join(const std::string& host, int port, int rank,
                                         HeartbeatTimes times = {});
  ~Heartbeat();  // says goodbye, so that a process that ends normally is not reported as lost
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  int port() const { return port_; }
  // A rank that is lost, or -1. Any thread.
  int lost() const { return lost_; }

 private:
  struct Peer {
    int socket = -1;
    int rank = -1;       // -1: has not said yet
    int missed = 0;      // own beats since it was heard
    std::string unread;  // part of a message
  };
  explicit Heartbeat(HeartbeatTimes times) : times_(times) {}
  void Start();
  void Loop();
  void Accept();
  void Read(Peer& peer);
  void Hear(Peer& peer, int word);
  void Drop(Peer& peer);
  void Lose(int rank);
  void Tell(int word);

  HeartbeatTimes times_;
  int port_ = 0, own_rank_ = 0, ranks_ = 1;
  int listener_ = -1, wake_[2] = {-1, -1};
  std::vector<Peer> peers_;  // rank 0: of all that joined; others: rank 0
  std::atomic<int> lost_ = -1;
  std::thread thread_;
};

}  // namespace mvd
