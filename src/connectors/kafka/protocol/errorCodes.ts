/** The error codes of Kafka's protocol that are answered in some way of their own. */
export const kafkaError = {
  unknownServerError: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  networkException: 13,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMember: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedVersion: 35,
  topicExists: 36,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  invalidTransactionTimeout: 50,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  storageError: 56,
  unknownProducerId: 59,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  groupMaxSizeReached: 81,
  fencedInstanceId: 82,
  invalidRecord: 87,
  unstableOffsetCommit: 88,
  producerFenced: 90,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
  transactionAbortable: 120,
} as const

const names = new Map<number, string>(
  Object.entries(kafkaError).map(([name, code]) => [code, name.replaceAll(/([A-Z])/g, '_$1').toUpperCase()]),
)

/** `NOT_LEADER (6)`. */
export function describeCode(code: number): string {
  const name = names.get(code)
  return name === undefined ? `error ${String(code)}` : `${name} (${String(code)})`
}

/** Another owner has the transactional id, or the broker has given the transaction up. */
export const lostOwnership: ReadonlySet<number> = new Set([
  kafkaError.outOfOrderSequence,
  kafkaError.invalidProducerEpoch,
  kafkaError.invalidTransactionState,
  kafkaError.invalidProducerIdMapping,
  kafkaError.unknownProducerId,
  kafkaError.producerFenced,
  kafkaError.transactionAbortable,
])

/** The broker asked is not, or not yet, the one to ask. It has done nothing. */
export const coordinatorMoved: ReadonlySet<number> = new Set([
  kafkaError.coordinatorLoading,
  kafkaError.coordinatorNotAvailable,
  kafkaError.notCoordinator,
])

/** What is known about a partition's leader is out of date, or it has none for now. Nothing has been done. */
export const leaderMoved: ReadonlySet<number> = new Set([
  kafkaError.unknownTopicOrPartition,
  kafkaError.leaderNotAvailable,
  kafkaError.notLeader,
  kafkaError.replicaNotAvailable,
  kafkaError.storageError,
  kafkaError.fencedLeaderEpoch,
  kafkaError.unknownLeaderEpoch,
  kafkaError.offsetNotAvailable,
  kafkaError.unknownTopicId,
  kafkaError.inconsistentTopicId,
])

/** A batch is damaged, or the broker fails in a way that it has no name for: another try may help, and may not. */
export const mayBeDamaged: ReadonlySet<number> = new Set([kafkaError.corruptMessage, kafkaError.unknownServerError])

/** The broker cannot do it at this moment, or does not say whether it did. */
export const notNow: ReadonlySet<number> = new Set([
  kafkaError.requestTimedOut,
  kafkaError.networkException,
  kafkaError.notEnoughReplicas,
  kafkaError.notEnoughReplicasAfterAppend,
  kafkaError.concurrentTransactions,
])

/** A batch is larger than its topic takes. */
export const batchTooLarge: ReadonlySet<number> = new Set([kafkaError.messageTooLarge, kafkaError.recordListTooLarge])

/** A batch is refused for what is in it, perhaps for one record; nothing of it is stored, and others may be sent. */
export const refusesRecords: ReadonlySet<number> = new Set([
  ...batchTooLarge,
  kafkaError.corruptMessage,
  kafkaError.invalidTimestamp,
  kafkaError.invalidRecord,
])

/** A topic is refused, whatever is sent to it. */
export const refusesTopic: ReadonlySet<number> = new Set([
  kafkaError.unknownTopicOrPartition,
  kafkaError.invalidTopic,
  kafkaError.topicAuthorizationFailed,
])

export const notAuthorized: ReadonlySet<number> = new Set([
  kafkaError.topicAuthorizationFailed,
  kafkaError.groupAuthorizationFailed,
  kafkaError.clusterAuthorizationFailed,
  kafkaError.transactionalIdAuthorizationFailed,
])
