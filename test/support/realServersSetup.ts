/** vitest's globalSetup: the shared real servers of a run, and the account of what could not run without them. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { messageOf } from '../../src/core/errors.ts'
import { serverPolicy, type ServerPolicy } from './serverPolicy.ts'
import { SharedServers } from './sharedServers.ts'
import { skippedText, type SkippedSuite } from './skippedSuites.ts'

/** What the test processes are given. */
export interface RealServersGiven {
  readonly policy: ServerPolicy
  /** Where they ask for a shared server, which starts it. */
  readonly socket: string
  /** Where they note the suites they skip, a JSON line each. */
  readonly skippedFile: string
}

declare module 'vitest' {
  interface ProvidedContext {
    realServers: RealServersGiven
  }
}

export default async function realServersSetup(project: TestProject): Promise<() => Promise<void>> {
  const policy = serverPolicy(process.env)
  const servers = new SharedServers(policy)
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-run-'))
  const socket = join(directory, 'servers.sock')
  const skippedFile = join(directory, 'skipped')
  const desk = await openDesk(servers, socket)
  project.provide('realServers', { policy, socket, skippedFile })
  return async () => {
    desk.closeAllConnections()
    desk.close()
    await servers.stop()
    const text = skippedText(readSkipped(skippedFile))
    rmSync(directory, { recursive: true, force: true })
    // After vitest's own summary, so that these are the last lines.
    process.stdout.write(text)
  }
}

/** Answers `GET /kafka` and `GET /cassandra` with where the server is, when it is up. */
function openDesk(servers: SharedServers, socket: string): Promise<Server> {
  const desk = createServer((request, response) => {
    const asked = request.url === '/kafka' ? servers.kafka() : servers.cassandra()
    asked.then(
      (place) => response.writeHead(200).end(JSON.stringify(place)),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    )
  })
  // A first start may take minutes.
  desk.requestTimeout = 0
  desk.timeout = 0
  return new Promise((resolve) => {
    desk.listen(socket, () => {
      resolve(desk)
    })
  })
}

function readSkipped(file: string): readonly SkippedSuite[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as SkippedSuite)
}
