/**
 * `npm run build`: the published package, whole, in `dist/` (or the folder that is given): JavaScript, types, the CLI
 * and a package.json of its own.
 * In the repository `exports` names the sources; under node_modules Node refuses TypeScript, so the package names what
 * tsc made of them. `npm pack ./dist` (or `npm publish ./dist`) does the rest.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'

const repository = join(import.meta.dirname, '..')
const output = resolve(process.argv[2] ?? join(repository, 'dist'))
const inRepository = (...path: readonly string[]): string => join(repository, ...path)
const inPackage = (...path: readonly string[]): string => join(output, ...path)

interface Manifest {
  readonly exports: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

// A folder that was asked for by name is never emptied.
if (process.argv[2] === undefined) rmSync(output, { recursive: true, force: true })
compile()
copyOtherFiles()
writePackageJson()
for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) copyFileSync(inRepository(file), inPackage(file))

function compile(): void {
  const compiler = inRepository('node_modules', '.bin', 'tsc')
  const { status } = spawnSync(compiler, ['-p', inRepository('.ci', 'tsconfig.package.json'), '--outDir', output], {
    stdio: 'inherit',
  })
  if (status === 0) return
  console.error('The package was not built: tsc failed, see above.')
  process.exit(1)
}

/** What is not TypeScript is needed as it is: the launcher, and any text a source reads beside itself. */
function copyOtherFiles(): void {
  for (const path of globSync('{src,operators}/**/*', { cwd: repository, withFileTypes: true })) {
    if (!path.isFile() || extname(path.name) === '.ts') continue
    const file = relative(repository, join(path.parentPath, path.name))
    mkdirSync(inPackage(dirname(file)), { recursive: true })
    copyFileSync(inRepository(file), inPackage(file))
  }
}

function writePackageJson(): void {
  const source = JSON.parse(readFileSync(inRepository('package.json'), 'utf8')) as Manifest
  const kept = 'name version description license author type engines bin dependencies peerDependencies'.split(' ')
  const published = {
    ...Object.fromEntries(kept.map((field) => [field, source[field]])),
    exports: Object.fromEntries(
      Object.entries(source.exports).map(([subpath, file]) => [
        subpath,
        { types: file.replace(/\.ts$/, '.d.ts'), default: file.replace(/\.ts$/, '.js') },
      ]),
    ),
  }
  writeFileSync(inPackage('package.json'), `${JSON.stringify(published, null, 2)}\n`)
  for (const launcher of Object.values(source.bin)) chmodSync(inPackage(launcher), 0o755)
}
