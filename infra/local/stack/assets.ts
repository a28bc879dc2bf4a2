import { resolve } from 'node:path';
import { isRecord } from '../../../shared/protocol/json.ts';

/**
 * The directories that the CDK would zip and upload: from the object's key to the absolute path.
 * The form of `<stack>.assets.json` is that of `AssetManifest` in `@aws-cdk/cloud-assembly-schema`.
 */
export function readAssets(manifest: unknown, directory: string): ReadonlyMap<string, string> {
  const files = isRecord(manifest) && isRecord(manifest.files) ? Object.values(manifest.files) : [];
  const paths = new Map<string, string>();
  for (const file of files) {
    if (!isRecord(file) || !isRecord(file.source) || !isRecord(file.destinations)) continue;
    const { path, packaging } = file.source;
    if (packaging !== 'zip' || typeof path !== 'string') continue; // the others are files, as the template itself
    for (const destination of Object.values(file.destinations)) {
      if (isRecord(destination)) paths.set(String(destination.objectKey), resolve(directory, path));
    }
  }
  return paths;
}
