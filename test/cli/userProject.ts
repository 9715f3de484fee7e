import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { root, type ProcessResult } from './cliProcess.ts'

/** A directory of somebody who uses Tidemark: it has the package installed, and nothing of the repository around it. */
export class UserProject {
  readonly directory: string = mkdtempSync(path.join(tmpdir(), 'tidemark-user-'))

  constructor() {
    mkdirSync(path.join(this.directory, 'node_modules'))
    this.#install('tidemark', root)
    for (const name of ['rxjs', 'io-ts', 'fp-ts']) this.#install(name, path.join(root, 'node_modules', name))
    this.write('package.json', '{ "type": "module" }')
  }

  write(name: string, content: string): void {
    const file = path.join(this.directory, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, content)
  }

  /** `tidemark …`, as a process of its own: it reads no file of this one's, and nothing of Vitest's is in its way. */
  async tidemark(args: readonly string[], options: { readonly stdin?: string } = {}): Promise<ProcessResult> {
    const child = spawn(process.execPath, [path.join(root, 'src/cli/tidemark.js'), ...args], {
      cwd: this.directory,
      env: { PATH: process.env['PATH'], DASHBOARD_PORT: '0' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.end(options.stdin ?? '')
    const [out, err, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { out, err, code: code as unknown, signal: signal as unknown }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true })
  }

  #install(name: string, from: string): void {
    symlinkSync(from, path.join(this.directory, 'node_modules', name))
  }
}
