import { TidemarkError } from '../../core/errors.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import { closeQuietly, type Logger } from '../../core/ports/logger.ts'
import type { PlannedFollower } from '../attempt/attemptContext.ts'
import type { SinkFollower } from '../follower/taskFollowers.ts'
import type { JobEnvironment } from './jobEnvironment.ts'

/** The clients of one run, and the followers that write through them: each connected once, used by all tasks, closed once. */
export class JobClients {
  readonly #clients = new Map<Port<Resource>, Resource>()
  /** By the uid of the sink. */
  readonly followers: Map<string, SinkFollower> = new Map<string, SinkFollower>()

  /** Connects what the plan has found; rejects with `system-unreachable`. What is connected by then is closed by `close`. */
  async connect(ports: readonly Port<Resource>[], environment: Pick<JobEnvironment, 'provide'>): Promise<void> {
    for (const port of ports) this.#clients.set(port, environment.provide(port))
    for (const client of this.#clients.values()) await client.connect()
  }

  /** After `connect`; rejects with `system-unreachable`. */
  async follow(planned: readonly PlannedFollower[]): Promise<void> {
    for (const { step, spec, hasDeadLetters } of planned) {
      const follower = spec.follower((port) => this.get(port))
      this.followers.set(spec.uid, { step, follower, hasDeadLetters })
      await follower.connect()
    }
  }

  /** By the names of their ports, followers by the uids of their sinks. */
  get named(): readonly (readonly [name: string, client: Resource])[] {
    const followers = [...this.followers].map(([uid, { follower }]) => [uid, follower] as const)
    return [...[...this.#clients].map(([port, client]) => [port.name, client] as const), ...followers]
  }

  get<T extends Resource>(port: Port<T>): T {
    const client = this.#clients.get(port)
    if (client === undefined) {
      throw new TidemarkError(
        'invalid-plan',
        `Port ${port.name} was opened while the job runs, and not when it was planned, so it is not connected. Open it at the top of pipeline(), not under a condition`,
      )
    }
    // Stored under this port by `connect`, from provide(port).
    return client as T
  }

  async close(log: Logger): Promise<void> {
    for (const [uid, { follower }] of this.followers) await closeQuietly(`the follower of sink ${uid}`, follower, log)
    for (const [port, client] of this.#clients) await closeQuietly(`the client of port ${port.name}`, client, log)
  }
}
