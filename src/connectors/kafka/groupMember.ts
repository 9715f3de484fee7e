import { atMost, sleep, type Clock } from '../../core/clock.ts'
import { messageOf, type TidemarkError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { BrokerPool } from './brokerPool.ts'
import { dealTasks } from './dealTasks.ts'
import { fatalGroupFailure, foreignGroup, notOurs, rejoinCodes, unconfirmed } from './groupFailures.ts'
import {
  decodeAssignment,
  encodeSubscription,
  protocolName,
  type Assignment,
  type MemberData,
} from './groupProtocol.ts'
import type { KafkaCluster } from './kafkaCluster.ts'
import { brokerCode } from './kafkaErrors.ts'
import type { KafkajsBroker } from './kafkajs.ts'
import { coordinatorMoved, kafkaError } from './protocol/errorCodes.ts'
import { requestJoin, type JoinRequest } from './protocol/joinGroup.ts'
import { whileBeating } from './whileBeating.ts'

/** What a member says about itself when it joins. */
export interface OwnClaims {
  readonly running: readonly number[]
  readonly stores: ReadonlyMap<number, number>
  readonly address: string | null
}

export interface GroupMemberOptions {
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
  readonly groupId: string
  readonly job: string
  readonly group: string
  readonly transactionalIdPrefix: string
  /** Without a heartbeat for so long a member is dead. */
  readonly sessionTimeoutMs: number
  /** For so long a rebalance waits for members that are alive. */
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
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
  readonly leader: boolean
  readonly ending: AbortController
}

const firstRetryMs = 100
const maxRetryMs = 1000
/** So long `confirm` waits for a rebalance to end, or for an answer. */
const confirmMs = 10_000
const leaveMs = 3_000

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
  #generation = -1
  #stay: Stay | null = null
  #addresses: readonly string[] = []
  #changed: (() => void)[] = []
  #running: Promise<void> | null = null

  constructor(options: GroupMemberOptions) {
    this.#options = options
    this.#pool = options.cluster.newPool()
  }

  /** Whether this member deals the tasks out, and so watches for what changes their number. */
  get leads(): boolean {
    return this.#stay?.leader ?? false
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
      if (this.#leaving.signal.aborted || (stay !== null && !stay.tasks.has(task))) throw notOurs(task)
      if (stay === null) await this.#change(until - clock.monotonicMs())
      else {
        try {
          await this.#heartbeat(stay.generation)
          if (this.#stay === stay) return
        } catch (error) {
          const code = brokerCode(error)
          if (code !== null && rejoinCodes.has(code)) stay.ending.abort()
          await this.#change(firstRetryMs)
        }
      }
      if (clock.monotonicMs() >= until) throw unconfirmed(task)
    }
  }

  /** Leaves at once, so that the others need not wait for the session to end. Never rejects. */
  async leave(): Promise<void> {
    const { cluster, clock, groupId, log } = this.#options
    this.#leaving.abort()
    this.#stay?.ending.abort()
    this.#notify()
    await this.#pool.close()
    await atMost(clock, leaveMs, this.#running ?? Promise.resolve())
    if (this.#memberId === '') return
    const memberId = this.#memberId
    const left = cluster.atCoordinator('group', groupId, 'Leaving the consumer group', (coordinator) =>
      coordinator.leaveGroup({ groupId, memberId }),
    )
    left.catch((error: unknown) => {
      log.debug('The consumer group was not left; it notices when the session ends', { error })
    })
    await atMost(clock, leaveMs, left)
  }

  async #run(): Promise<void> {
    const { clock, log, groupId } = this.#options
    let delayMs = firstRetryMs
    while (!this.#leaving.signal.aborted) {
      try {
        const stay = await this.#join()
        delayMs = firstRetryMs
        await this.#remain(stay)
        this.#stay = null
        if (!this.#leaving.signal.aborted) await this.#beating(this.#options.prepareRejoin())
      } catch (error) {
        this.#stay = null
        if (this.#leaving.signal.aborted) return
        const failure = fatalGroupFailure(groupId, error)
        if (failure !== null) {
          this.#options.failed(failure)
          return
        }
        const code = brokerCode(error)
        if (code === kafkaError.unknownMember) this.#memberId = ''
        if (code === null || !rejoinCodes.has(code)) {
          log.warn('Joining the consumer group failed; trying again', { groupId, reason: messageOf(error) })
        }
        await sleep(clock, delayMs, this.#leaving.signal)
        delayMs = Math.min(maxRetryMs, delayMs * 2)
      }
    }
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
    const stay: Stay = { generation, tasks: new Set(tasks), leader, ending: new AbortController() }
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
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, job, group, partitionCounts } = this.#options
    const { running, stores, address } = this.#options.claims()
    const counts = await partitionCounts({ fresh: false })
    const data: MemberData = {
      v: 1,
      job,
      group,
      prefix: this.#options.transactionalIdPrefix,
      address,
      generation: this.#generation,
      running,
      stores: [...stores],
    }
    const request: JoinRequest = {
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.#memberId,
      protocol: protocolName,
      metadata: encodeSubscription([...counts.keys()], data),
    }
    const joined = await this.#ask((coordinator) =>
      requestJoin(coordinator, request, (memberId) => {
        this.#memberId = memberId
      }),
    )
    const { memberId, generation, leaderId, members } = joined
    this.#memberId = memberId
    const leader = leaderId === memberId
    const groupAssignment = leader ? dealTasks(members, await partitionCounts({ fresh: true }), { job, group }) : []
    const { memberAssignment } = await this.#ask((coordinator) =>
      coordinator.syncGroup({ groupId, generationId: generation, memberId, groupAssignment }),
    )
    return { generation, leader, assignment: decodeAssignment(memberAssignment) }
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
        if (code === kafkaError.unknownMember) this.#memberId = ''
        if (code !== null && rejoinCodes.has(code)) return
        log.debug('A heartbeat failed', { groupId, reason: messageOf(error) })
      }
    }
  }

  /** Keeps the session alive while something is done; what the group says meanwhile is answered after it. */
  #beating<T>(work: Promise<T>): Promise<T> {
    const { clock, heartbeatIntervalMs } = this.#options
    const beat = async (): Promise<boolean> => {
      if (this.#memberId !== '') await this.#heartbeat(this.#generation)
      return this.#memberId !== ''
    }
    return whileBeating(clock, heartbeatIntervalMs, beat, work)
  }

  /** A coordinator that does not answer within half a session is looked for anew: the session would not survive more. */
  async #heartbeat(generation: number): Promise<void> {
    const { groupId, clock, sessionTimeoutMs } = this.#options
    const memberId = this.#memberId
    await this.#ask(async (coordinator) => {
      const late = clock.after(sessionTimeoutMs / 2, () => {
        this.#pool.distrust(coordinator)
      })
      try {
        await coordinator.heartbeat({ groupId, groupGenerationId: generation, memberId })
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
  async #change(atMostMs: number): Promise<void> {
    const waited = new AbortController()
    const stop = (): void => {
      waited.abort()
    }
    this.#changed.push(stop)
    await sleep(this.#options.clock, Math.max(0, atMostMs), waited.signal)
    this.#changed = this.#changed.filter((callback) => callback !== stop)
  }

  #notify(): void {
    for (const callback of this.#changed.splice(0)) callback()
  }
}
