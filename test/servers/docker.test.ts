import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { composeDown, composeUp, whyNoDocker } from './docker.ts'

let folder = ''
let environment: NodeJS.ProcessEnv = {}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-docker-'))
  environment = { PATH: folder }
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Puts a shell script in the place of Docker's command line tool. */
function docker(script: string): void {
  const file = join(folder, 'docker')
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
}

describe('Docker', () => {
  it('can be used where an engine and compose answer', () => {
    docker('exit 0')
    expect(whyNoDocker(environment)).toBeUndefined()
  })

  it('cannot be used without the tool, the engine or compose, and says which', () => {
    expect(whyNoDocker(environment)).toBe('docker is not installed')
    docker('echo "Cannot connect to the Docker daemon" >&2; exit 1')
    expect(whyNoDocker(environment)).toBe('Cannot connect to the Docker daemon')
    docker('[ "$1" = version ] || { echo "unknown command: docker compose" >&2; exit 1; }')
    expect(whyNoDocker(environment)).toBe('unknown command: docker compose')
  })
})

describe('containers', () => {
  const project = { name: 'tidemark-x', ports: { kafka: 1234, cassandra: 2345 } }

  it('are those of the compose file, on the ports and under the name that were given', async () => {
    docker(`echo "$KAFKA_PORT $CASSANDRA_PORT $@" >> '${join(folder, 'calls')}'`)
    await composeUp(project, ['kafka'], environment)
    await composeDown(project, true, environment)
    await composeDown(project, false, environment)
    const file = join(import.meta.dirname, '../../deploy/docker-compose.yml')
    expect(readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')).toEqual([
      `1234 2345 compose -p tidemark-x -f ${file} up --detach --wait kafka`,
      `1234 2345 compose -p tidemark-x -f ${file} down --volumes`,
      `1234 2345 compose -p tidemark-x -f ${file} down`,
    ])
  })

  it('that do not start fail with what Docker said', async () => {
    docker('echo "manifest unknown" >&2; exit 18')
    await expect(composeUp(project, [], environment)).rejects.toThrow(/failed \(exit code 18\):\nmanifest unknown/)
  })
})
