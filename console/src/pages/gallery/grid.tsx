import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Video } from "@/api/client";
import { VideoCard } from "@/pages/gallery/video-card";

const CARD_WIDTH = 236;
const GAP = 16;
const TEXT_HEIGHT = 98;
const AHEAD_ROWS = 12; // the next page is asked for before its place is reached

type Props = {
  videos: Video[];
  selected: ReadonlySet<string>;
  hasMore: boolean;
  onToggle: (id: string, on: boolean) => void;
  onMore: () => void;
};

/** Only the rows on the screen exist, however many videos there are. */
export const Grid = ({ videos, selected, hasMore, onToggle, onMore }: Props) => {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const { columns, width, offset } = useColumns(box);
  const rows = Math.ceil(videos.length / columns);
  const cardWidth = (width - GAP * (columns - 1)) / columns;
  const rowHeight = Math.round((cardWidth * 10) / 16) + TEXT_HEIGHT + GAP;
  const virtual = useVirtualizer({
    count: rows,
    getScrollElement: () => document.getElementById("content"),
    estimateSize: () => rowHeight,
    overscan: 3,
    scrollMargin: offset,
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;

  useLayoutEffect(() => virtual.measure(), [rowHeight, virtual]);
  useEffect(() => {
    if (hasMore && last >= rows - AHEAD_ROWS) onMore();
  }, [last, rows, hasMore, onMore]);

  return (
    <div ref={box}>
      <ul aria-label={t("gallery.title")} className="relative" style={{ height: virtual.getTotalSize() }}>
        {shown.flatMap((row) =>
          videos.slice(row.index * columns, (row.index + 1) * columns).map((video, column) => (
            <li
              key={video.id}
              aria-setsize={hasMore ? -1 : videos.length}
              aria-posinset={row.index * columns + column + 1}
              className="absolute top-0 left-0"
              style={{
                width: cardWidth,
                height: rowHeight - GAP,
                transform: `translate(${column * (cardWidth + GAP)}px, ${row.start - offset}px)`,
              }}
            >
              <VideoCard video={video} selected={selected.has(video.id)} onToggle={onToggle} />
            </li>
          )),
        )}
      </ul>
      {hasMore && <p className="py-4 text-center text-sm text-quiet">{t("gallery.loading")}</p>}
    </div>
  );
};

/** How many cards fit side by side, and how far below the top of the page they begin. */
const useColumns = (box: React.RefObject<HTMLDivElement | null>) => {
  const [layout, setLayout] = useState({ columns: 1, width: CARD_WIDTH, offset: 0 });
  useLayoutEffect(() => {
    const element = box.current;
    const page = document.getElementById("content");
    if (!element || !page) return;
    const measure = () => {
      const { width, top } = element.getBoundingClientRect();
      const least = width < 500 ? 150 : CARD_WIDTH;
      setLayout({
        columns: Math.max(1, Math.floor((width + GAP) / (least + GAP))),
        width,
        offset: top - page.getBoundingClientRect().top + page.scrollTop,
      });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return layout;
};
