#include "mvd/train/loop/heartbeat.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mvd/base/check.h"
#include "mvd/base/error.h"

namespace mvd {
namespace {

using Clock = std::chrono::steady_clock;

// A message is one word of four bytes: a rank, or one of these. A process first sends its own rank; a rank
// sent by rank 0 is lost.
constexpr int kAlive = -1, kGoodbye = -2;

[[noreturn]] void Fail(const std::string& what) {
  throw Error(Exit::kPartial, "",
              StrCat("heartbeat between the processes: ", what, ": ", std::strerror(errno)));
}

void SendWord(int socket, int word) {
  const uint32_t bytes = htonl(uint32_t(word));
  // Whoever waits for an answer notices a full buffer or a closed connection.
  (void)::send(socket, &bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Both kinds of addresses where the system has IPv6.
int ListenAnywhere(int* port) {
  for (const int family : {AF_INET6, AF_INET}) {
    const int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) continue;
    const int off = 0;
    if (family == AF_INET6) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    sockaddr_storage address{};  // all zeros: any address, any free port
    address.ss_family = sa_family_t(family);
    socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket, any, size) == 0 && ::listen(socket, SOMAXCONN) == 0 &&
        ::getsockname(socket, any, &size) == 0) {
      *port = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(any)->sin6_port
                                       : reinterpret_cast<sockaddr_in*>(any)->sin_port);
      return socket;
    }
    ::close(socket);
  }
  return -1;
}

int Connect(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return -1;
  int socket = -1;
  for (const addrinfo* a = found; a && socket < 0; a = a->ai_next) {
    socket = ::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (socket < 0 || ::connect(socket, a->ai_addr, a->ai_addrlen) == 0) continue;
    ::close(socket);
    socket = -1;
  }
  ::freeaddrinfo(found);
  if (socket >= 0) ::fcntl(socket, F_SETFL, O_NONBLOCK);
  return socket;
}

}  // namespace

std::unique_ptr<Heartbeat> Heartbeat::Listen(int ranks, HeartbeatTimes times) {
  std::unique_ptr<Heartbeat> beat(new Heartbeat(times));
  beat->ranks_ = ranks;
  beat->listener_ = ListenAnywhere(&beat->port_);
  if (beat->listener_ < 0) Fail("rank 0 cannot listen");
  beat->Start();
  return beat;
}

std::unique_ptr<Heartbeat> Heartbeat::Join(const std::string& host, int port, int rank,
                                           HeartbeatTimes times) {
  std::unique_ptr<Heartbeat> beat(new Heartbeat(times));
  beat->port_ = port, beat->own_rank_ = rank;
  const int socket = Connect(host, port);
  if (socket < 0) Fail(StrCat("rank ", rank, " cannot reach rank 0 at ", host, ":", port));
  beat->peers_.push_back({.socket = socket, .rank = 0, .missed = 0, .unread = {}});
  SendWord(socket, rank);
  beat->Start();
  return beat;
}

void Heartbeat::Start() {
  if (::pipe2(wake_, O_CLOEXEC) != 0) Fail("no pipe");
  thread_ = std::thread([this] { Loop(); });
}

Heartbeat::~Heartbeat() {
  if (thread_.joinable()) {
    (void)!::write(wake_[1], "x", 1);
    thread_.join();
  }
  Tell(kGoodbye);
  for (Peer& peer : peers_) Drop(peer);
  for (const int file : {listener_, wake_[0], wake_[1]})
    if (file >= 0) ::close(file);
}

void Heartbeat::Loop() {
  for (Clock::time_point beat = Clock::now() + times_.every;;) {
    std::vector<pollfd> files = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};  // -1 is passed over
    for (const Peer& peer : peers_) files.push_back({peer.socket, POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(beat - Clock::now()).count();
    ::poll(files.data(), files.size(), int(std::max<int64_t>(0, left)));
    if (files[0].revents) return;
    for (size_t i = 2; i < files.size(); ++i) {
      if (files[i].revents) Read(peers_[i - 2]);
    }
    if (files[1].revents) Accept();
    if (Clock::now() >= beat) {
      for (Peer& peer : peers_) {
        if (peer.socket >= 0 && ++peer.missed > times_.most_missed) Lose(peer.rank), Drop(peer);
      }
      Tell(kAlive);
      beat = Clock::now() + times_.every;
    }
    std::erase_if(peers_, [](const Peer& peer) { return peer.socket < 0; });
  }
}

void Heartbeat::Accept() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  // More connections than ranks: strangers, which must not fill the memory.
  if (socket >= 0 && int(peers_.size()) >= 2 * ranks_)
    ::close(socket);
  else if (socket >= 0)
    peers_.push_back({.socket = socket, .rank = -1, .missed = 0, .unread = {}});
}

void Heartbeat::Read(Peer& peer) {
  char bytes[256];
  const ssize_t count = ::recv(peer.socket, bytes, sizeof(bytes), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {  // it died, or its machine says so
    Lose(peer.rank);
    Drop(peer);
    return;
  }
  peer.missed = 0;
  peer.unread.append(bytes, size_t(count));
  while (peer.socket >= 0 && peer.unread.size() >= sizeof(uint32_t)) {
    uint32_t word = 0;
    std::memcpy(&word, peer.unread.data(), sizeof(word));
    peer.unread.erase(0, sizeof(word));
    Hear(peer, int(ntohl(word)));
  }
}

void Heartbeat::Hear(Peer& peer, int word) {
  if (word == kGoodbye) return Drop(peer);
  if (own_rank_ != 0) {
    if (word >= 0) Lose(word);
    return;
  }
  const bool known = peer.rank >= 0;
  const bool taken = std::any_of(peers_.begin(), peers_.end(), [&](const Peer& p) { return p.rank == word; });
  if (!known && word > 0 && word < ranks_ && !taken)
    peer.rank = word;
  else if (!known || word != kAlive)
    Drop(peer);  // not one of our processes
}

void Heartbeat::Drop(Peer& peer) {
  if (peer.socket >= 0) ::close(peer.socket);
  peer.socket = -1;
}

void Heartbeat::Lose(int rank) {
  int nobody = -1;
  if (rank < 0 || !lost_.compare_exchange_strong(nobody, rank)) return;
  if (own_rank_ == 0) Tell(rank);
}

void Heartbeat::Tell(int word) {
  for (const Peer& peer : peers_)
    if (peer.socket >= 0) SendWord(peer.socket, word);
}

}  // namespace mvd
