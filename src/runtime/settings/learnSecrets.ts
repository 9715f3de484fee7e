import { isSecretName, type Secrets } from '../../core/secrets.ts'
import type { SettingSpec } from '../../core/setting.ts'

/** Where secrets come from. */
export interface SecretSources {
  /** Texts by key, of every layer: also what a stronger one overrides, and what does not decode. */
  readonly layers: readonly ReadonlyMap<string, string>[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly specs: ReadonlyMap<string, SettingSpec<unknown>>
}

/**
 * Tells `secrets` of all that is secret, before anything is decoded, because the errors of that are printed too.
 *
 * Keys that nobody has declared, such as those of a job that is not loaded yet, are guessed by their names, and so are the
 * variables of the environment, which a job may read by itself. Any value may be a URL with a password in it.
 */
export function learnSecrets(secrets: Secrets, { layers, environment, specs }: SecretSources): void {
  for (const layer of layers) {
    for (const [key, text] of layer) {
      const spec = specs.get(key)
      if (spec?.secret === true) secrets.learn(text)
      else if (spec === undefined && isSecretName(key)) secrets.guess(text)
      else secrets.learnWithin(text)
    }
  }
  for (const [name, text = ''] of Object.entries(environment)) {
    if (isSecretName(name)) secrets.guess(text)
    else secrets.learnWithin(text)
  }
  for (const spec of specs.values()) {
    if (spec.secret && spec.default !== null) secrets.learn(spec.encode(spec.default.value))
  }
}
