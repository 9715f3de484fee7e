import type { KafkaCluster } from '../../../src/connectors/kafka/client/kafkaCluster.ts'

/** What a user is not to do with a topic. */
export interface Forbidden {
  readonly user: string
  readonly operation: 'Write' | 'Describe'
  readonly topic: string
}

/** Forbids it, for the super user that the cluster's connections are. */
export async function forbid(cluster: KafkaCluster, what: Forbidden): Promise<void> {
  const broker: unknown = await cluster.controller()
  await (broker as { createAcls(request: object): Promise<unknown> }).createAcls({ acl: [entryOf(what)] })
}

/** Takes `forbid` back. */
export async function allowAgain(cluster: KafkaCluster, what: Forbidden): Promise<void> {
  const broker: unknown = await cluster.controller()
  await (broker as { deleteAcls(request: object): Promise<unknown> }).deleteAcls({ filters: [entryOf(what)] })
}

/** An access control entry in Kafka's numbers: a topic, by its whole name, denied from everywhere. */
function entryOf({ user, operation, topic }: Forbidden): object {
  return {
    resourceType: 2,
    resourceName: topic,
    resourcePatternType: 3,
    principal: `User:${user}`,
    host: '*',
    operation: operation === 'Write' ? 4 : 8,
    permissionType: 2,
  }
}
