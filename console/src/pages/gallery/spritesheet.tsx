import { useEffect, useState } from "react";
import type { Video } from "@/api/client";
import { useContent } from "@/api/queries";

// As models/output/stills.py writes it.
const COLUMNS = 4;
const TILES = 16;
const TILE_MS = 120;

/** The video in little, played from its spritesheet. */
export const Spritesheet = ({ video }: { video: Video }) => {
  const sheet = useContent(video.id, "spritesheet").data;
  const tiles = Math.min(TILES, video.num_frames);
  const [tile, setTile] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTile((before) => (before + 1) % tiles), TILE_MS);
    return () => clearInterval(timer);
  }, [tiles]);
  if (!sheet) return null;
  const columns = Math.min(COLUMNS, tiles);
  const rows = Math.ceil(tiles / COLUMNS);
  return (
    <div
      data-testid="spritesheet"
      className="absolute inset-0 m-auto max-h-full max-w-full"
      style={{
        aspectRatio: video.size.replace("x", " / "),
        height: wide(video.size) ? undefined : "100%",
        width: wide(video.size) ? "100%" : undefined,
        backgroundImage: `url("${sheet.url}")`,
        backgroundSize: `${columns * 100}% ${rows * 100}%`,
        backgroundPosition: `${columns > 1 ? ((tile % COLUMNS) / (columns - 1)) * 100 : 0}% ${rows > 1 ? (Math.floor(tile / COLUMNS) / (rows - 1)) * 100 : 0}%`,
      }}
    />
  );
};

/** Whether the picture fills the card's width (16:10) before its height. */
const wide = (size: string): boolean => {
  const [width = 1, height = 1] = size.split("x").map(Number);
  return width / height > 1.6;
};
