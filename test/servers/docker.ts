import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'

const composeFile = fileURLToPath(new URL('../../deploy/docker-compose.yml', import.meta.url))
const answerMs = 10_000

/** Why Docker cannot be used here; `undefined` when it can. */
export function whyNoDocker(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const ask = (...args: readonly string[]): string | undefined => {
    const { status, error, stderr } = spawnSync('docker', args, {
      env: environment,
      encoding: 'utf8',
      timeout: answerMs,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    if (status === 0) return undefined
    if (error === undefined) return stderr.trim().split('\n')[0]
    return error.message.includes('ENOENT') ? 'docker is not installed' : error.message
  }
  return ask('version', '--format', '{{.Server.Version}}') ?? ask('compose', 'version')
}

/** A set of containers of deploy/docker-compose.yml. */
export interface ComposeProject {
  /** Keeps several sets apart. */
  readonly name: string
  /** Ports on this machine. */
  readonly ports: { readonly kafka: number; readonly cassandra: number }
}

/** Starts these services, all by default, and resolves when they are healthy. */
export async function composeUp(
  project: ComposeProject,
  services: readonly string[] = [],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  await compose(project, ['up', '--detach', '--wait', ...services], environment)
}

/** Ends them. Their volumes stay unless they are to be removed. */
export async function composeDown(
  project: ComposeProject,
  removeData: boolean,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  await compose(project, ['down', ...(removeData ? ['--volumes'] : [])], environment)
}

function compose(
  { name, ports }: ComposeProject,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const env = { ...environment, KAFKA_PORT: String(ports.kafka), CASSANDRA_PORT: String(ports.cassandra) }
  return new Promise((resolve, reject) => {
    const child = spawn('docker', ['compose', '-p', name, '-f', composeFile, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => output.push(data.toString()))
    const fail = (why: string): void => {
      const said = output.join('').trim().split('\n').slice(-25).join('\n')
      reject(new TidemarkError('server-not-started', `docker compose ${args.join(' ')} failed (${why}):\n${said}`))
    }
    child.once('error', (error) => {
      fail(messageOf(error))
    })
    child.once('close', (code) => {
      if (code === 0) resolve()
      else fail(`exit code ${String(code)}`)
    })
  })
}
