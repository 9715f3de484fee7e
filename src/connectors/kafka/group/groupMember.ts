import { atMost, sleep, within, type Clock } from '../../../core/ports/clock.ts'
import { messageOf, type TidemarkError } from '../../../core/errors.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { delayAfter, type Backoff } from '../../../core/retry.ts'
import type { BrokerPool } from '../client/brokerPool.ts'
import type { KafkaConfig } from '../config/kafkaConfig.ts'
import { describeConsumerGroup } from './consumerGroup.ts'
import { dealTasks } from './dealTasks.ts'
import { fatalGroupFailure, foreignGroup, instanceTaken, notOurs, rejoinCodes, unconfirmed } from './groupFailures.ts'
import {
  decodeAssignment,
  encodeSubscription,
  protocolName,
  type Assignment,
  type MemberData,
} from './groupProtocol.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { brokerCode } from '../client/kafkaErrors.ts'
import type { KafkajsBroker } from '../client/kafkajs.ts'
import { coordinatorMoved, kafkaError } from '../protocol/errorCodes.ts'
import {
  requestHeartbeat,
  requestLeave,
  requestSync,
  requestJoin,
  type GroupIdentity,
  type JoinRequest,
} from '../protocol/groupMembership.ts'

/** What a member says about itself when it joins. */
export interface OwnClaims {
  readonly running: readonly number[]
  readonly stores: ReadonlyMap<number, number>
  readonly address: string | null
  /** Host and process id. */
  readonly process: string | null
}

export interface GroupMemberOptions
  extends
    Pick<JobLogSpec, 'job' | 'group' | 'groupId' | 'transactionalIdPrefix'>,
    Pick<KafkaConfig, 'sessionTimeoutMs' | 'rebalanceTimeoutMs' | 'heartbeatIntervalMs'> {
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
  /**
   * `group.instance.id`: who joins under it again within the session gets its tasks back at once, and nobody else notices.
   * Null: a dynamic member.
   */
  readonly instanceId: string | null
  /** Partition count by input topic; the leader looks them up anew. */
  readonly partitionCounts: (options: { readonly fresh: boolean }) => Promise<ReadonlyMap<string, number>>
  claims(): OwnClaims
  /** The group rebalances, and this member is about to rejoin: the tasks come to rest. Heartbeats go on meanwhile. */
  prepareRejoin(): Promise<void>
  /** These tasks, each with the topics that have its partition, are this member's from now on. */
  assigned(tasks: ReadonlyMap<number, readonly string[]>): Promise<void>
  /** The group cannot be used. */
  failed(error: TidemarkError): void
}

/** One stay in the group, from SyncGroup to the next JoinGroup. */
interface Stay {
  readonly generation: number
  readonly tasks: ReadonlySet<number>
  /** Stands for the inputs that were dealt out; null when the leader does not say. */
  readonly dealt: string | null
  readonly ending: AbortController
}

const retries: Backoff = { initialDelayMs: 100, maxDelayMs: 1000 }
/** So long `confirm` waits for a rebalance to end, or for an answer. */
const confirmMs = 10_000
const leaveMs = 3_000
/** So long whoever has taken this member's place is looked for. */
const lookForRivalMs = 2_000

/**
 * This process's membership in a classic consumer group: joins, keeps its session alive beside whatever the tasks do, and
 * rejoins when the group rebalances. Before each rejoin the tasks come to rest (at most half the rebalance timeout). It
 * reads nothing and commits nothing: who owns a task is decided by the task's transactional id alone; the group only
 * proposes.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #pool: BrokerPool
  readonly #leaving = new AbortController()
  #memberId = ''
  /** The group may have this member: a static one that was not answered is in it without knowing its id. */
  #known = false
  /** It cannot be used any more. */
  #failed = false
  #generation = -1
  #stay: Stay | null = null
  #addresses: readonly string[] = []
  #changed: PromiseWithResolvers<void> = Promise.withResolvers()
  #running: Promise<void> | null = null

  constructor(options: GroupMemberOptions) {
    this.#options = options
    this.#pool = options.cluster.newPool()
  }

  /**
   * Stands for the inputs that the tasks were dealt out for last; null when it is not known. Every member compares it with
   * what it sees: a leader that was started again is told that it follows, so that for a while nobody leads.
   */
  get dealt(): string | null {
    return this.#stay?.dealt ?? null
  }

  /** Between two stays, or before the first one. */
  get joining(): boolean {
    return this.#stay === null
  }

  /** Control addresses of all members, as of the last rebalance. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** Joins, and stays until `leave`. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Makes the group rebalance, because the number of tasks has changed. */
  rejoin(): void {
    this.#stay?.ending.abort()
  }

  /**
   * Resolves when a heartbeat has just shown that the group still gives the task to this member. Rejects with
   * `system-unreachable` when it does not, or when that cannot be known soon.
   */
  async confirm(task: number): Promise<void> {
    const { clock } = this.#options
    const until = clock.monotonicMs() + confirmMs
    for (;;) {
      const stay = this.#stay
      const over = this.#failed || this.#leaving.signal.aborted
      if (over || (stay !== null && !stay.tasks.has(task))) throw notOurs(task)
      if (stay === null) await this.#change(until - clock.monotonicMs())
      else {
        try {
          await this.#heartbeat(stay.generation)
          if (this.#stay === stay) return
        } catch (error) {
          const code = brokerCode(error)
          if (code !== null && endsStay(code)) stay.ending.abort()
          await this.#change(retries.initialDelayMs)
        }
      }
      if (clock.monotonicMs() >= until) throw unconfirmed(task)
    }
  }

  /**
   * Leaves at once, so that the others need not wait for the session to end. Never rejects. `restarting`: a static member
   * only goes away, and the group keeps its tasks for whoever joins under its instance id within the session.
   */
  async leave({ restarting }: { readonly restarting: boolean }): Promise<void> {
    const { cluster, clock, groupId, instanceId, log } = this.#options
    this.#leaving.abort()
    this.#stay?.ending.abort()
    this.#notify()
    await this.#pool.close()
    await atMost(clock, leaveMs, this.#running ?? Promise.resolve())
    const isMember = this.#memberId !== '' || (instanceId !== null && this.#known)
    if (!isMember || (restarting && instanceId !== null)) return
    const left = cluster.atCoordinator('group', groupId, 'Leaving the consumer group', (coordinator) =>
      requestLeave(coordinator, this.#identity),
    )
    left.catch((error: unknown) => {
      log.debug('The consumer group was not left; it notices when the session ends', { error })
    })
    await atMost(clock, leaveMs, left)
  }

  get #identity(): GroupIdentity {
    const { groupId, instanceId } = this.#options
    return { groupId, memberId: this.#memberId, instanceId }
  }

  async #run(): Promise<void> {
    const { clock, log, groupId } = this.#options
    let failures = 0
    while (!this.#leaving.signal.aborted) {
      try {
        const stay = await this.#join()
        failures = 0
        await this.#remain(stay)
        this.#stay = null
        if (!this.#leaving.signal.aborted) await this.#beating(this.#options.prepareRejoin())
      } catch (error) {
        this.#stay = null
        if (this.#leaving.signal.aborted) return
        const code = brokerCode(error)
        const failure =
          code === kafkaError.fencedInstanceId ? await this.#taken(error) : fatalGroupFailure(groupId, error)
        if (failure !== null) {
          this.#failed = true
          this.#notify()
          this.#options.failed(failure)
          return
        }
        if (code === kafkaError.unknownMember) this.#forgotten()
        if (code === null || !rejoinCodes.has(code)) {
          log.warn('Joining the consumer group failed; trying again', { groupId, reason: messageOf(error) })
        }
        failures += 1
        await sleep(clock, delayAfter(retries, failures), this.#leaving.signal)
      }
    }
  }

  /** The group does not have this member any more. */
  #forgotten(): void {
    this.#memberId = ''
    this.#known = false
  }

  /** Another process joined under this one's instance id: the place is its now, and this one must not take it from it. */
  async #taken(cause: unknown): Promise<TidemarkError> {
    const { cluster, clock, groupId } = this.#options
    const instanceId = this.#options.instanceId ?? ''
    this.#forgotten()
    const rival = describeConsumerGroup(cluster, groupId).then(
      ({ members }) => members.find((member) => member.instanceId === instanceId)?.process ?? null,
      () => null,
    )
    return instanceTaken(groupId, instanceId, await within(clock, lookForRivalMs, rival, () => null), cause)
  }

  async #join(): Promise<Stay> {
    const { groupId, job, group, log } = this.#options
    const { generation, leader, assignment } = await this.#joinAndSync()
    this.#generation = generation
    if (assignment !== null && (assignment.job !== job || assignment.group !== group)) {
      throw foreignGroup(groupId, assignment)
    }
    const tasks = assignment?.tasks ?? []
    this.#addresses = assignment?.addresses ?? []
    log.info('Joined the consumer group', { groupId, generation, tasks: tasks.join(','), leader })
    const dealt = assignment?.dealt ?? null
    const stay: Stay = { generation, tasks: new Set(tasks), dealt, ending: new AbortController() }
    this.#stay = stay
    this.#notify()
    await this.#beating(this.#options.assigned(assignment?.topics ?? new Map()))
    return stay
  }

  async #joinAndSync(): Promise<{
    readonly generation: number
    readonly leader: boolean
    readonly assignment: Assignment | null
  }> {
    const { job, group, transactionalIdPrefix: prefix, partitionCounts } = this.#options
    const { running, stores, address, process } = this.#options.claims()
    const counts = await partitionCounts({ fresh: false })
    const data: MemberData = {
      v: 1,
      job,
      group,
      prefix,
      address,
      generation: this.#generation,
      running,
      stores: [...stores],
      ...(process === null ? {} : { process }),
    }
    const metadata = encodeSubscription([...counts.keys()], data)
    const request: JoinRequest = { ...this.#options, memberId: this.#memberId, protocol: protocolName, metadata }
    const joined = await this.#ask((coordinator) => {
      this.#known = true
      return requestJoin(coordinator, request, (memberId) => {
        this.#memberId = memberId
      })
    })
    const { memberId, generation, leaderId, members } = joined
    this.#memberId = memberId
    const leader = leaderId === memberId
    const groupAssignment = leader ? dealTasks(members, await partitionCounts({ fresh: true }), { job, group }) : []
    const own = await this.#ask((coordinator) => requestSync(coordinator, this.#identity, generation, groupAssignment))
    return { generation, leader, assignment: decodeAssignment(own) }
  }

  /** Beats until the group rebalances, or this member wants it to. */
  async #remain({ generation, ending }: Stay): Promise<void> {
    const { clock, heartbeatIntervalMs, log, groupId } = this.#options
    const { signal } = ending
    while (!signal.aborted) {
      await sleep(clock, heartbeatIntervalMs, signal)
      if (signal.aborted) return
      try {
        await this.#heartbeat(generation)
      } catch (error) {
        const code = brokerCode(error)
        if (code === kafkaError.unknownMember) this.#forgotten()
        if (code !== null && endsStay(code)) return
        log.debug('A heartbeat failed', { groupId, reason: messageOf(error) })
      }
    }
  }

  /** Keeps the session alive while something is done; what the group says meanwhile is answered after it. */
  async #beating<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController()
    void this.#beatUntil(done.signal)
    try {
      return await work
    } finally {
      done.abort()
    }
  }

  async #beatUntil(done: AbortSignal): Promise<void> {
    const { clock, heartbeatIntervalMs } = this.#options
    for (;;) {
      await sleep(clock, heartbeatIntervalMs, done)
      if (done.aborted || this.#memberId === '') return
      await this.#heartbeat(this.#generation).catch(() => undefined)
    }
  }

  /** A coordinator that does not answer within half a session is looked for anew: the session would not survive more. */
  async #heartbeat(generation: number): Promise<void> {
    const { clock, sessionTimeoutMs } = this.#options
    const identity = this.#identity
    await this.#ask(async (coordinator) => {
      const late = clock.after(sessionTimeoutMs / 2, () => {
        this.#pool.distrust(coordinator)
      })
      try {
        await requestHeartbeat(coordinator, identity, generation)
      } finally {
        late.cancel()
      }
    })
  }

  /** One request to the coordinator; where it is, is looked up anew after every failure that may come from its having moved. */
  async #ask<T>(request: (coordinator: KafkajsBroker) => Promise<T>): Promise<T> {
    const { cluster, groupId } = this.#options
    try {
      return await request(await this.#pool.broker(await cluster.coordinatorOf('group', groupId)))
    } catch (error) {
      const code = brokerCode(error)
      if (code === null || coordinatorMoved.has(code)) cluster.forgetCoordinator('group', groupId)
      throw error
    }
  }

  /** Resolves when a stay begins or this member leaves, or after `atMostMs`. */
  #change(atMostMs: number): Promise<void> {
    return atMost(this.#options.clock, Math.max(0, atMostMs), this.#changed.promise)
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** What ends a stay; a fenced member is told so once more when it joins, and then gives up. */
function endsStay(code: number): boolean {
  return rejoinCodes.has(code) || code === kafkaError.fencedInstanceId
}
