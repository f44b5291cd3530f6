/**
 * Whether an error, or its cause, means that a partition has no leader yet, or another one than the client knows: for a moment
 * after its brokers started, or one of them left. The brokers answer, so it is no outage; whoever begins anew asks for
 * leaders first, and tells of it where they stay away.
 */
export function isLeaderless(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('type' in error && typeof error.type === 'string' && TYPES.has(error.type)) return true;
  return error.cause !== error && isLeaderless(error.cause);
}

/** Names of the protocol's errors, as kafkajs has them (https://kafka.apache.org/protocol#protocol_error_codes). */
const TYPES = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
  // The brokers answer, and the replicas that have to agree are not back.
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
]);
