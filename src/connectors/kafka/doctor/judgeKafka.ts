import { fault, fine, risk, type Finding } from '../../../core/finding.ts'
import type { ExaminedJob } from '../../../core/ports/system.ts'
import { numberOf } from '../client/readConfigs.ts'
import type { KafkaConfig } from '../config/kafkaConfig.ts'
import type { OpenTransaction } from './findOpenTransaction.ts'
import type { KafkaFacts, KafkaTopicFacts } from './kafkaFacts.ts'

/** What a job needs of Kafka. */
export interface KafkaNeeds extends Pick<ExaminedJob, 'job' | 'groupId' | 'outputs' | 'deadLetters' | 'copartitioned'> {
  readonly inputs: readonly string[]
  /** Made by the job itself. */
  readonly changelog: string
}

type Times = Pick<KafkaConfig, 'transactionTimeoutMs' | 'sessionTimeoutMs'>

const wantedReplicas = 3
const wantedInSync = 2

/** What is to be said about a cluster, for a job or (null) for any. */
export function judgeKafka(facts: KafkaFacts, times: Times, needs: KafkaNeeds | null): readonly Finding[] {
  const { clusterId, brokers, isCurrent, config } = facts
  const cluster = `cluster ${clusterId ?? 'without an id'}, ${String(brokers)} ${brokers === 1 ? 'broker' : 'brokers'}`
  return [
    isCurrent
      ? fine(`Kafka 4.0 or later, ${cluster}`)
      : risk(
          `Kafka before 4.0, ${cluster}: offsets read right after a fence may be stale, and a transaction may hang`,
          'upgrade the brokers to 4.0 or later',
        ),
    ...transactionFindings(config, brokers, times),
    ...sessionFindings(config, times),
    ...(needs === null ? [] : jobFindings(facts, needs)),
  ]
}

function transactionFindings(
  config: KafkaFacts['config'],
  brokers: number,
  { transactionTimeoutMs }: Times,
): readonly Finding[] {
  const limit = numberOf(config, 'transaction.max.timeout.ms')
  const findings: Finding[] = []
  if (limit === null) {
    findings.push(
      risk(
        "The brokers' settings may not be read, so transaction limits are not known",
        'allow this user DESCRIBE_CONFIGS on the cluster',
      ),
    )
  } else if (transactionTimeoutMs > limit) {
    findings.push(
      fault(
        `Transactions need ${String(transactionTimeoutMs)} ms by the checkpoint settings, and the brokers allow ${String(limit)}`,
        'shorten checkpoint.interval.ms, checkpoint.min.pause.ms or checkpoint.timeout.ms, or raise transaction.max.timeout.ms on the brokers',
      ),
    )
  } else {
    findings.push(fine(`Transactions may take ${String(limit)} ms, and need ${String(transactionTimeoutMs)} at most`))
  }
  const replicas = numberOf(config, 'transaction.state.log.replication.factor')
  const inSync = numberOf(config, 'transaction.state.log.min.isr')
  if (replicas === null || inSync === null) return findings
  const said = `The transaction log has ${String(replicas)} replicas, ${String(inSync)} of them in sync for a commit`
  const isSafe = replicas >= wantedReplicas && inSync >= wantedInSync
  const fix = `set transaction.state.log.replication.factor=3 and transaction.state.log.min.isr=2 before the first transaction${brokers < wantedReplicas ? `, with ${String(wantedReplicas)} brokers or more` : ''}`
  return [...findings, isSafe ? fine(said) : risk(`${said}: losing a broker may lose commits`, fix)]
}

function sessionFindings(config: KafkaFacts['config'], { sessionTimeoutMs }: Times): readonly Finding[] {
  const least = numberOf(config, 'group.min.session.timeout.ms')
  const most = numberOf(config, 'group.max.session.timeout.ms')
  if (least === null || most === null || (sessionTimeoutMs >= least && sessionTimeoutMs <= most)) return []
  return [
    fault(
      `kafka.session.timeout.ms is ${String(sessionTimeoutMs)}, and the brokers allow ${String(least)} to ${String(most)}`,
      'choose a value between them',
    ),
  ]
}

function jobFindings(facts: KafkaFacts, needs: KafkaNeeds): readonly Finding[] {
  const { topics, missingTopics } = facts
  const counts = topics.filter(({ name }) => needs.inputs.includes(name))
  return [
    ...missingTopics.map((name) =>
      name === needs.changelog
        ? fine(`Topic ${name} is not there yet: the job makes it at its first start`)
        : fault(`Topic ${name} does not exist`, `create it: npx tidemark topic create ${name}`),
    ),
    ...topics.flatMap((topic) => topicFindings(topic, facts.brokers)),
    ...topics.flatMap((topic) => outputFindings(topic, facts, needs)),
    ...changelogFindings(topics, needs.changelog),
    ...(needs.copartitioned && new Set(counts.map(({ partitions }) => partitions)).size > 1
      ? [
          fault(
            `The inputs need equal partition counts: ${counts.map(({ name, partitions }) => `${name} has ${String(partitions)}`).join(', ')}`,
            'make them equal',
          ),
        ]
      : []),
    ...groupFindings(facts, needs),
  ]
}

function topicFindings(
  { name, partitions, replicas, config, ...state }: KafkaTopicFacts,
  brokers: number,
): readonly Finding[] {
  const { underReplicated, leaderless } = state
  const inSync = numberOf(config, 'min.insync.replicas')
  const said = `Topic ${name}: ${String(partitions)} partitions, ${String(replicas)} ${replicas === 1 ? 'replica' : 'replicas'}, min.insync.replicas ${inSync === null ? 'unknown' : String(inSync)}`
  const isSafe = replicas >= wantedReplicas && (inSync ?? 0) >= wantedInSync
  const more = brokers < wantedReplicas ? `, with ${String(wantedReplicas)} brokers or more` : ''
  return [
    isSafe
      ? fine(said)
      : risk(
          `${said}: losing a broker may lose records`,
          `give it ${String(wantedReplicas)} replicas and min.insync.replicas=${String(wantedInSync)}${more}`,
        ),
    ...(leaderless === 0
      ? []
      : [fault(`Topic ${name}: ${String(leaderless)} partitions have no leader`, 'start the brokers that hold them')]),
    ...(underReplicated === 0
      ? []
      : [
          risk(
            `Topic ${name}: replicas of ${String(underReplicated)} partitions are not in sync`,
            'look for a broker that is down or slow',
          ),
        ]),
  ]
}

/** What a topic would refuse, or lose, of the records that the job sends there. */
function outputFindings(topic: KafkaTopicFacts, { topics }: KafkaFacts, needs: KafkaNeeds): readonly Finding[] {
  const { name, config } = topic
  if (!needs.outputs.includes(name)) return []
  const takesDeadLetters = needs.deadLetters.includes(name)
  return [
    ...compactionFindings(name, config, takesDeadLetters),
    ...timeFindings(name, config, takesDeadLetters),
    ...sizeFindings(topic, topics, needs, takesDeadLetters),
  ]
}

function compactionFindings(
  name: string,
  config: KafkaTopicFacts['config'],
  takesDeadLetters: boolean,
): readonly Finding[] {
  if (config.get('cleanup.policy')?.includes('compact') !== true) return []
  return [
    takesDeadLetters
      ? risk(
          `Topic ${name} takes dead letters and is compacted: of those of one key only the last is kept`,
          'set cleanup.policy=delete on it',
        )
      : risk(
          `Topic ${name} is compacted: it keeps the last output of a key, and one without a key becomes a dead letter (invalid-output)`,
          'give every output a key, or set cleanup.policy=delete on it',
        ),
  ]
}

function timeFindings(name: string, config: KafkaTopicFacts['config'], takesDeadLetters: boolean): readonly Finding[] {
  // Where the brokers stamp the records, the sent times do not count.
  if (takesDeadLetters || config.get('message.timestamp.type') === 'LogAppendTime') return []
  const limits = (['message.timestamp.before.max.ms', 'message.timestamp.after.max.ms'] as const).filter((key) => {
    const limit = numberOf(config, key)
    return limit !== null && limit <= Number.MAX_SAFE_INTEGER
  })
  // Kafka's own default: an hour ahead, which only a wrong clock or a wrong unit reaches.
  const said = limits.map((key) => `${key}=${config.get(key) ?? ''}`)
  if (said.length === 0) return []
  const text = `Topic ${name} takes times within ${said.join(', ')} of now; an output with another one becomes a dead letter (invalid-output)`
  return limits.includes('message.timestamp.before.max.ms')
    ? [risk(text, 'raise it where old records are read, or set the timestamp of the outputs')]
    : [fine(text)]
}

function sizeFindings(
  { name, config }: KafkaTopicFacts,
  topics: readonly KafkaTopicFacts[],
  { inputs }: KafkaNeeds,
  takesDeadLetters: boolean,
): readonly Finding[] {
  const limit = numberOf(config, 'max.message.bytes')
  const largest = topics
    .filter((topic) => inputs.includes(topic.name))
    .map((topic) => ({ input: topic.name, bytes: numberOf(topic.config, 'max.message.bytes') ?? 0 }))
    .toSorted((a, b) => b.bytes - a.bytes)[0]
  if (limit === null || largest === undefined || largest.bytes <= limit) return []
  const effect = takesDeadLetters ? 'a larger dead letter is cut' : 'a larger output becomes a dead letter'
  return [
    risk(
      `Topic ${name} takes ${String(limit)} bytes (max.message.bytes), and input ${largest.input} ${String(largest.bytes)}: ${effect}`,
      `set max.message.bytes=${String(largest.bytes)} on it`,
    ),
  ]
}

function changelogFindings(topics: readonly KafkaTopicFacts[], changelog: string): readonly Finding[] {
  const policy = topics.find(({ name }) => name === changelog)?.config.get('cleanup.policy')
  if (policy === undefined || policy === null || policy === 'compact') return []
  return [
    fault(
      `Topic ${changelog} has cleanup.policy=${policy}, so that state would be lost`,
      'set cleanup.policy=compact, or rename the job',
    ),
  ]
}

function groupFindings({ group }: KafkaFacts, { groupId, job }: KafkaNeeds): readonly Finding[] {
  if (group === null) return []
  const { state, members } = group
  const others = members.filter((member) => member.job !== job)
  const isSettled = state === 'Stable'
  if (isSettled && others.length > 0) {
    const who = others.map(
      (member) =>
        `${member.job === null ? member.clientId : `job ${member.job}`} on ${member.clientHost.replace(/^\//, '')}`,
    )
    return [
      fault(
        `Consumer group ${groupId} has members that are not of job ${job}: ${who.join(', ')}`,
        'choose another groupId, or stop them',
      ),
    ]
  }
  if (members.length === 0) return [fine(`Consumer group ${groupId} has no members: the job is not running`)]
  return [
    fine(
      `Consumer group ${groupId}: ${state}, ${String(members.length)} ${members.length === 1 ? 'process' : 'processes'} of the job`,
    ),
  ]
}

/** Transactions end within seconds; one that is open for so long may be forgotten. */
const longMs = 10_000

/** What is to be said about transactions that hold the inputs of a job back. */
export function judgeTransactions(open: readonly OpenTransaction[], nowMs: number): readonly Finding[] {
  return open
    .filter(({ sinceMs }) => sinceMs === null || nowMs - sinceMs >= longMs)
    .map(({ topic, partition, waiting, firstOffset, producerId, transactionalId, sinceMs }) => {
      const place = `${topic}, partition ${String(partition)}`
      const who =
        producerId === null
          ? 'a transaction whose producer the brokers do not tell'
          : `the open transaction of producer ${String(producerId)}, ${transactionalId === null ? 'whose transactional id may not be read' : `transactional id ${JSON.stringify(transactionalId)}`}`
      const since = sinceMs === null ? '' : `, since ${new Date(sinceMs).toISOString()}`
      const what = `${place}: up to ${String(waiting)} records wait behind ${who}${since}`
      const abort = `kafka-transactions.sh abort --topic ${topic} --partition ${String(partition)} --start-offset ${String(firstOffset)}`
      return risk(what, `let its program commit or abort; one that is gone for good is ended with ${abort}`)
    })
}
