// UnboundConnections: what this node does with connections that no application has.
//
// Theory of operation
//   A connection is unbound from its SYN until a node is chosen for it. The choice comes as
//   ConnectionClassified, with a reference to the endpoint: here the application gets it, elsewhere
//   it is migrated unbound, flagged as forwarded, with the same reference in its blob. It arrives
//   with the name of the application that shall have it, and gets it once the handshake is
//   complete; without a name the classifier of that node goes on where the first one stopped, for
//   nothing has been read.
//
//   A node that was cut off with a handshake half done was taken for dead, and the client has begun
//   anew at another one. When it is back it asks the forwarder to map what is half-open; where
//   another connection is mapped, its own is let go of without a segment.
//
//   In mid-life a connection can be disassociated again: its application hands over its state and
//   leaves, the connection stays or moves. It is then kept: nobody reads, so the client fills the
//   window and waits. The states of the applications that have left travel with it. Associating it
//   with one of them goes on where that one stopped; another one begins at the next byte.
#pragma once

#include <string>

#include "migrator/environment.h"

namespace migd {

class UnboundConnections : public AcceptHandler {
 public:
  UnboundConnections(MigratorEnvironment& environment, ApplicationHost& applications)
      : env_(environment), applications_(applications) {}

  // Binds it here, or asks for its migration.
  void place(const ConnectionClassified& classified, Instant now);
  // What a MigrationRequest without a target asks for; ends in a MigrationFinished. `moving`: a
  // migration of it is under way.
  void rearrange(const MigrationRequest& request, bool moving);

  // `forwarder` has refused to map one that is half-open here: another has the tuple.
  void on_superseded(const wire::Moved& by, NodeId forwarder, Instant now);

  // AcceptHandler, for connections that have come in.
  void on_established(Connection& connection) override;

 private:
  Result<void> check(const MigrationRequest& request, const Connection* connection,
                     bool moving) const;
  Result<void> disassociate(Connection& connection);
  Result<void> associate(Connection& connection, const std::string& application);
  Result<void> associate(Connection& connection, ConnectionRecord& record,
                         const std::string& application);

  MigratorEnvironment& env_;
  ApplicationHost& applications_;
};

}  // namespace migd
