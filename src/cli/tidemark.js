#!/usr/bin/env node
// The launcher is JavaScript, and old JavaScript at that, so that a Node which cannot run TypeScript can still say why:
// one line that names what is needed instead of ERR_UNKNOWN_FILE_EXTENSION.
import { existsSync } from 'fs'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
// 22.18 and 24.2 are the first to strip types unasked and to know `import.meta.main`, by which a job file runs itself.
const supported = (major === 22 && minor >= 18) || (major === 24 && minor >= 2) || major > 24

if (supported) {
  if (process.env.npm_command === 'exec') stopWithParent()
  // TypeScript in the repository, JavaScript in the published package, where there is no .ts file.
  const main = existsSync(new URL('./main.ts', import.meta.url)) ? './main.ts' : './main.js'
  await import(main)
} else {
  process.stderr.write(
    `tidemark needs Node 22.18, 24.2 or newer, and this is ${process.versions.node}: in the repository use ` +
      '`npm start` or `npx tidemark`, elsewhere `npm install --save-dev node@24` and then `npx tidemark`.\n',
  )
  process.exitCode = 2
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
