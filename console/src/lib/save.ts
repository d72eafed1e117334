import { downloadZip } from "client-zip";
import { ApiError } from "@/api/errors";
import { contentOf } from "@/api/queries";

const click = (href: string, name: string) => {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
};

/** Save one finished video. The link itself says that it is to be saved. */
export const save = async (videoId: string): Promise<void> => {
  const content = await contentOf(videoId, "video");
  click(content.download_url, nameOf(content.url, videoId));
};

/** Save several as one ZIP, so that the browser asks once. */
export const saveAll = async (videoIds: readonly string[]): Promise<void> => {
  const [only] = videoIds;
  if (videoIds.length === 1 && only) return save(only);
  const url = URL.createObjectURL(await downloadZip(files(videoIds)).blob());
  click(url, `revalida-${new Date().toISOString().slice(0, 10)}.zip`);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
};

async function* files(videoIds: readonly string[]) {
  for (const videoId of videoIds) {
    const content = await contentOf(videoId, "video");
    const input = await fetch(content.url);
    if (!input.ok) throw new ApiError(input.status, `The bucket did not give ${videoId}.`);
    yield { name: nameOf(content.url, videoId), input };
  }
}

const nameOf = (url: string, videoId: string) => `${videoId}${new URL(url).pathname.match(/\.\w+$/)?.[0] ?? ".mp4"}`;
