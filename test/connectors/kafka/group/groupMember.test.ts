import { beforeEach, describe, expect, it } from 'vitest'
import type { TidemarkError } from '../../../../src/core/errors.ts'
import { GroupMember } from '../../../../src/connectors/kafka/group/groupMember.ts'
import { encodeAssignment } from '../../../../src/connectors/kafka/group/groupProtocol.ts'
import { kafkaError } from '../../../../src/connectors/kafka/protocol/errorCodes.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { FakeBroker } from '../fakeBroker.ts'

const counts = new Map([['orders', 4]])
const job = { job: 'reconcile', group: 'source' }

let clock: ManualClock
let coordinator: FakeBroker
/** What the coordinator gives this member from its next join on. */
let tasks: readonly number[]
/** What it answers heartbeats. */
let heartbeat: number
/** What it answers joins. */
let join: number
let generation: number
/** What members say about themselves in each request: instance ids. */
let instances: (string | null)[]
let failures: TidemarkError[]

beforeEach(() => {
  clock = new ManualClock(1_700_000_000_000)
  coordinator = new FakeBroker()
  tasks = [0, 1]
  heartbeat = kafkaError.none
  join = kafkaError.none
  generation = 0
  instances = []
  failures = []
  coordinator.raw['JoinGroup'] = (request, answer) => {
    request.string()
    request.take(8)
    request.string()
    instances.push(request.nullableString())
    generation += 1
    heartbeat = kafkaError.none
    answer.int32(0).int16(join).int32(generation).string('tidemark').string('another').string('this one').int32(0)
  }
  coordinator.raw['SyncGroup'] = (_request, answer) => {
    answer.int32(0).int16(0)
    answer.bytes(encodeAssignment(counts, { v: 1, tasks, addresses: [], ...job }))
  }
  coordinator.raw['Heartbeat'] = (request, answer) => {
    request.string()
    request.int32()
    request.string()
    instances.push(request.nullableString())
    answer.int32(0).int16(heartbeat)
  }
  coordinator.raw['LeaveGroup'] = (request, answer) => {
    request.string()
    request.int32()
    request.string()
    instances.push(request.nullableString())
    answer.int32(0).int16(0).int32(0)
  }
  coordinator.raw['DescribeGroups'] = () => {
    throw new Error('nobody answers')
  }
})

const joined = async (instanceId: string | null = 'one-0'): Promise<GroupMember> => {
  const { promise: first, resolve } = Promise.withResolvers<void>()
  const member = new GroupMember({
    cluster: coordinator.cluster(clock),
    clock,
    log: silentLogger,
    groupId: 'orders-group',
    instanceId,
    ...job,
    transactionalIdPrefix: 'reconcile-tx',
    sessionTimeoutMs: 15_000,
    rebalanceTimeoutMs: 60_000,
    heartbeatIntervalMs: 1_500,
    partitionCounts: () => Promise.resolve(counts),
    claims: () => ({ running: [], stores: new Map(), address: null, process: null }),
    prepareRejoin: () => Promise.resolve(),
    assigned: () => {
      resolve()
      return Promise.resolve()
    },
    failed: (error) => failures.push(error),
  })
  member.start()
  await clock.runUntil(first)
  return member
}

describe('a task is confirmed', () => {
  it('when the group has just answered a heartbeat, and the task is the one that it gave to this member', async () => {
    const member = await joined()
    coordinator.asked.length = 0
    await clock.runUntil(member.confirm(1))
    expect(coordinator.asked).toEqual(['Heartbeat'])
    await clock.runUntil(member.leave({ restarting: false }))
  })

  it("not when it is another member's, whatever heartbeats say", async () => {
    const member = await joined()
    await expect(member.confirm(2)).rejects.toMatchObject({
      code: 'system-unreachable',
      message: "Partition 2 is not this process's any more",
    })
    await clock.runUntil(member.leave({ restarting: false }))
  })

  it('not when a rebalance has just given it away, and again when one gives it back', async () => {
    const member = await joined()
    tasks = [0]
    heartbeat = kafkaError.rebalanceInProgress
    const refused = member.confirm(1).catch((error: unknown) => error)
    expect(await clock.runUntil(refused)).toMatchObject({ message: "Partition 1 is not this process's any more" })
    tasks = [0, 1]
    heartbeat = kafkaError.rebalanceInProgress
    await clock.advance(5_000)
    await clock.runUntil(member.confirm(1))
    await clock.runUntil(member.leave({ restarting: false }))
  })

  it('not when nobody answers, and that is known within 10 s', async () => {
    const member = await joined()
    const began = clock.monotonicMs()
    coordinator.raw['Heartbeat'] = () => {
      throw new Error('read ECONNRESET')
    }
    const refused = member.confirm(1).catch((error: unknown) => error)
    expect(await clock.runUntil(refused)).toMatchObject({ message: expect.stringContaining('cannot be confirmed') })
    expect(clock.monotonicMs() - began).toBeLessThan(11_000)
    await clock.runUntil(member.leave({ restarting: false }))
  })
})

describe('a member', () => {
  it('says its instance id with every request', async () => {
    const member = await joined()
    await clock.advance(2_000)
    await clock.runUntil(member.leave({ restarting: false }))
    expect(coordinator.asked).toEqual(['JoinGroup', 'SyncGroup', 'Heartbeat', 'LeaveGroup'])
    expect(instances).toEqual(['one-0', 'one-0', 'one-0'])
  })

  it('that is restarted keeps its place in the group, unless nobody could take it', async () => {
    await clock.runUntil((await joined('one-0')).leave({ restarting: true }))
    expect(coordinator.asked).not.toContain('LeaveGroup')
    await clock.runUntil((await joined(null)).leave({ restarting: true }))
    expect(coordinator.asked).toContain('LeaveGroup')
  })

  it.each([true, false])(
    'leaves no timer behind (restarting: %s), which would keep the process alive',
    async (restarting) => {
      const member = await joined()
      await clock.runUntil(member.leave({ restarting }))
      expect(clock.pending).toBe(0)
    },
  )

  it('waits 3 s at most for a coordinator that is silent', async () => {
    const member = await joined()
    coordinator.raw['LeaveGroup'] = () => new Promise(() => undefined)
    const began = clock.monotonicMs()
    await clock.runUntil(member.leave({ restarting: false }))
    expect(clock.monotonicMs() - began).toBe(3_000)
    expect(clock.pending).toBe(0)
  })

  it.each(['a heartbeat', 'a join'])(
    'whose instance id another process has taken (told by %s) gives up for good',
    async (by) => {
      const member = await joined()
      if (by === 'a join') {
        join = kafkaError.fencedInstanceId
        heartbeat = kafkaError.rebalanceInProgress
      } else {
        coordinator.raw['Heartbeat'] = (_request, answer) => {
          answer.int32(0).int16(kafkaError.fencedInstanceId)
        }
        join = kafkaError.fencedInstanceId
      }
      await clock.advance(20_000)
      expect(failures).toEqual([
        expect.objectContaining({
          code: 'instance-taken',
          retriable: false,
          message: expect.stringContaining('has joined consumer group orders-group as one-0'),
        }),
      ])
      coordinator.asked.length = 0
      await expect(member.confirm(0)).rejects.toMatchObject({ code: 'system-unreachable' })
      await clock.advance(120_000)
      // The place is the other's now: leaving would put that one out.
      await clock.runUntil(member.leave({ restarting: false }))
      expect(coordinator.asked).toEqual([])
    },
  )
})
